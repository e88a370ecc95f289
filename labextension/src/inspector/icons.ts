import { LabIcon } from '@jupyterlab/ui-components';

const svg = (body: string): string => `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">${body}</svg>`;

/** Three lines that run together in one point and on to another: what is sent here shows up there. */
export const channelsIcon = new LabIcon({
  name: 'nbchannels:channels',
  svgstr: svg(
    '<g class="jp-icon3" fill="none" stroke="#616161" stroke-width="2" stroke-linecap="round">' +
      '<path d="M3 5h3.5c4 0 3 7 7 7H21M3 19h3.5c4 0 3-7 7-7M3 12h10"/></g>' +
      '<circle class="jp-icon3" fill="#616161" cx="13.5" cy="12" r="2.6"/><circle class="jp-icon3" fill="#616161" cx="21" cy="12" r="2"/>'
  )
});

/** A paper plane. */
export const sendIcon = new LabIcon({
  name: 'nbchannels:send',
  svgstr: svg('<path class="jp-icon3" fill="#616161" d="M3 20.5 21.5 12 3 3.5v6.6L14.5 12 3 13.9z"/>')
});

/** A line that goes up and down. */
export const plotIcon = new LabIcon({
  name: 'nbchannels:plot',
  svgstr: svg(
    '<path class="jp-icon3" fill="none" stroke="#616161" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" d="M3.5 3.5v17h17M7 15.5l4-5.5 3.5 3L20 6"/>'
  )
});
