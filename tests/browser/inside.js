// What the tests ask inside a page. JupyterLab and Notebook 7 show their application as `jupyterapp`.
globalThis.nbtest = {
  panel() {
    const panel = globalThis.jupyterapp?.shell?.currentWidget;
    return panel?.content?.widgets && panel.sessionContext ? panel : null;
  },

  /** The notebook and its kernel are there; its cells can be found by `[data-cell="…"]`. */
  ready() {
    const panel = this.panel();
    const kernel = panel?.sessionContext.session?.kernel;
    if (!panel?.context.isReady || panel.content.widgets.length === 0) {
      return false;
    }
    if (kernel?.connectionStatus !== 'connected' || kernel.status !== 'idle') {
      return false;
    }
    for (const cell of panel.content.widgets) {
      cell.node.dataset.cell = cell.model.id;
    }
    return true;
  },

  cell(id) {
    const found = this.panel()?.content.widgets.find(cell => cell.model.id === id);
    if (found === undefined) {
      throw new Error(`there is no cell ${id}`);
    }
    return found;
  },

  async run(id) {
    const { content } = this.panel();
    content.deselectAll();
    content.activeCellIndex = content.widgets.indexOf(this.cell(id));
    await globalThis.jupyterapp.commands.execute('notebook:run-cell');
  },

  kernelStatus() {
    return this.panel().sessionContext.session?.kernel?.status ?? null;
  },

  outputs(id) {
    return this.cell(id).model.sharedModel.toJSON().outputs ?? [];
  },

  /** What a cell printed, and the errors it ended with. */
  text(id) {
    return this.outputs(id)
      .map(({ text, traceback }) => [text ?? traceback ?? ''].flat().join(''))
      .join('');
  },

  prompt(id) {
    return this.cell(id).node.querySelector('.jp-InputPrompt')?.textContent ?? '';
  },

  /** The plots in the output of a cell that our renderer draws, as their models see them. */
  plots(id) {
    const found = [];
    const walk = widget => {
      if (widget.node.classList.contains('nbchannels-output')) {
        found.push(widget.view.content);
        return;
      }
      for (const child of widget.children()) {
        walk(child);
      }
    };
    walk(this.cell(id).outputArea);
    return found.filter(content => content !== null);
  },

  points(id) {
    const [plot] = this.plots(id);
    return plot === undefined ? 0 : plot.feed.model.runs.reduce((sum, run) => sum + run.points, 0);
  },

  /** All that a plot holds, as plain data. */
  plot(id) {
    const [plot] = this.plots(id);
    if (plot === undefined) {
      return null;
    }
    const { model } = plot.feed;
    const indices = ring => Array.from({ length: ring.end - ring.start }, (_, i) => ring.start + i);
    return {
      messages: model.messages,
      gaps: model.gaps.map(gap => ({ ...gap })),
      notice: model.notice,
      labels: model.labels,
      options: JSON.parse(JSON.stringify(plot.options)),
      runs: model.runs.map(run => ({
        number: run.number,
        series: Object.fromEntries(
          [...run.series].map(([name, { ring }]) => [
            name,
            { x: indices(ring).map(i => ring.x(i)), y: indices(ring).map(i => ring.y(i)) }
          ])
        )
      })),
      range: plot.presentation.plot.range.x
    };
  },

  /** How many pixels of a plot's canvas are painted in a colour that is no grey. */
  coloured(id) {
    const canvas = this.cell(id).node.querySelector('.nbchannels-view canvas');
    if (!canvas?.width) {
      return 0;
    }
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      const [r, g, b, a] = [data[i], data[i + 1], data[i + 2], data[i + 3]];
      count += a > 128 && Math.max(r, g, b) - Math.min(r, g, b) > 60 ? 1 : 0;
    }
    return count;
  },

  client() {
    return globalThis[Symbol.for('nbchannels.client.v1')];
  },

  /** Run code in the kernel of the notebook in front, without a cell. */
  async execute(code) {
    await this.ask(this.panel().sessionContext.session.kernel, code);
  },

  /** Start the kernel of a notebook that nobody opens, and run code in it. */
  async begin(path, code) {
    const { sessions } = globalThis.jupyterapp.serviceManager;
    const session = await sessions.startNew({ path, name: path, type: 'notebook', kernel: { name: 'python3' } });
    await this.ask(session.kernel, code);
  },

  async ask(kernel, code) {
    const { content } = await kernel.requestExecute({ code }).done;
    if (content.status !== 'ok') {
      throw new Error(`${content.ename}: ${content.evalue}`);
    }
  },

  /** Set some of a plugin's settings, and all others back. */
  async settings(plugin, values) {
    const { service } = globalThis.jupyterapp.pluginRegistry._plugins.get('@jupyterlab/apputils-extension:settings');
    const settings = await service.load(plugin);
    await settings.save(JSON.stringify(values));
  },

  /** What fades or slides has arrived, and the screen shows it. What turns for ever is not waited for. */
  async still() {
    const ending = document.getAnimations().filter(one => Number.isFinite(one.effect?.getComputedTiming().endTime));
    const arrived = Promise.allSettled(ending.map(one => one.finished));
    await Promise.race([arrived, new Promise(resolve => setTimeout(resolve, 2000))]);
    for (let frame = 0; frame < 2; frame++) {
      await new Promise(resolve => requestAnimationFrame(resolve));
    }
  },

  /** What notices have said, also those that went by themselves. */
  told: [],

  /** Put all notices away. */
  dismiss() {
    for (const button of document.querySelectorAll('.Toastify__toast .Toastify__close-button, .jp-Notification-Toast-Close')) {
      button.click();
    }
  }
};

new MutationObserver(records => {
  for (const node of records.flatMap(({ addedNodes }) => [...addedNodes])) {
    if (node.nodeType === Node.ELEMENT_NODE) {
      const toasts = [...(node.matches('.Toastify__toast') ? [node] : []), ...node.querySelectorAll('.Toastify__toast')];
      globalThis.nbtest.told.push(...toasts.map(one => one.textContent));
    }
  }
}).observe(document, { childList: true, subtree: true });
