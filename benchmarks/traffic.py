"""What goes between a page and nbchannels on the server: counted in the page itself."""

from playwright.sync_api import Page

#: What is sent and received on the WebSockets of a page, by kind.
COUNT_FRAMES = """(() => {
  const counts = globalThis.socketCounts = {};
  const encoder = new TextEncoder();
  const count = (arrow, data) => {
    let kind = `${arrow} records`;
    if (typeof data === 'string') {
      const { op, method = '', arguments: { panel = '' } = {} } = JSON.parse(data);
      kind = `${arrow} ${op} ${method} ${panel}`.trim();
    }
    const known = counts[kind] ??= [0, 0];
    known[0] += 1;
    const bytes = typeof data === 'string' ? encoder.encode(data) : data;
    known[1] += bytes.byteLength ?? bytes.size;
  };
  globalThis.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols);
      this.isCounted = String(url).includes('/nbchannels/');
      if (this.isCounted) {
        this.addEventListener('message', ({ data }) => count('←', data));
      }
    }
    send(data) {
      if (this.isCounted) { count('→', data); }
      super.send(data);
    }
  };
})()"""
TAKE_COUNTS = """() => {
  const counts = globalThis.socketCounts;
  const taken = { ...counts };
  for (const kind of Object.keys(counts)) { delete counts[kind]; }
  return taken;
}"""


class Traffic:
    """What goes between a page and nbchannels on the server."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._requests: dict[str, list[int]] = {}
        page.add_init_script(COUNT_FRAMES)
        page.on("requestfinished", self._requested)

    def _requested(self, request) -> None:
        path = request.url.partition("?")[0].partition("/nbchannels/")[2]
        if path and "/lab/extensions/" not in request.url:
            known = self._requests.setdefault(f"{request.method} {path}", [0, 0])
            known[0] += 1
            known[1] += sum(request.sizes().values())

    def take(self) -> dict[str, list[int]]:
        """Since the last call: how many of each kind, and their bytes."""
        found = self._page.evaluate(TAKE_COUNTS) | self._requests
        self._requests = {}
        return found


def asked(kinds: dict[str, list[int]]) -> int:
    """Everything but what the connection itself and the views of a page need."""
    needed = ("records", "heartbeat", "ack")
    return sum(n for kind, (n, _) in kinds.items() if kind.split()[1] not in needed)
