import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

interface Drawn {
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
  readonly marks: readonly number[];
}

/** The only file that knows the library of charts, which is loaded after the page. */
export function createPlot(
  element: HTMLElement,
  height: number,
  drawn: () => Drawn,
  colourOf: (name: string) => string,
): uPlot {
  const axis: uPlot.Axis = {
    stroke: () => colourOf('--chart-text'),
    grid: { stroke: () => colourOf('--chart-grid'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  const options: uPlot.Options = {
    width: element.clientWidth,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, (high ?? 0) * 1.1)] } },
    axes: [
      { ...axis, values: '{HH}:{mm}', space: 60, size: 24 },
      { ...axis, size: 44, space: 28 },
    ],
    series: [
      {},
      {
        stroke: () => colourOf('--chart-line'),
        fill: () => colourOf('--chart-fill'),
        width: 1.5,
        points: { show: false },
      },
    ],
    hooks: { draw: [(plot) => drawMarks(plot, drawn().marks, colourOf('--chart-mark'))] },
  };
  const { times, values } = drawn();
  return new uPlot(options, [[...times], [...values]], element);
}

function drawMarks(plot: uPlot, marks: readonly number[], colour: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.setLineDash([4, 4]);
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
