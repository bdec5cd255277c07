import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import { formatNumber, t } from '../texts/language.ts';
import { colours } from '../theme.ts';

interface Props {
  readonly title: string;
  /** Seconds since 1970, in rising order. */
  readonly times: readonly number[];
  /** Null where nothing is known. */
  readonly values: readonly (number | null)[];
  /** Moments at which something was done. */
  readonly marks: readonly number[];
}

const HEIGHT = 120;
const colourOf = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name);

/** A line over time. The library that draws it is loaded only when there is something to draw. */
export function Chart({ title, times, values, marks }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef({ times, values, marks });
  latest.current = { times, values, marks };
  useEffect(() => {
    let isGone = false;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) plot.current?.setSize({ width: entry.contentRect.width, height: HEIGHT });
    });
    const unsubscribe = colours.subscribe(() => plot.current?.redraw());
    import('./plot.ts').then(
      ({ createPlot }) => {
        const element = frame.current;
        if (isGone || element === null) return;
        plot.current = createPlot(element, HEIGHT, () => latest.current, colourOf);
        observer.observe(element);
      },
      // The numbers above say what the lines would.
      () => {},
    );
    return () => {
      isGone = true;
      observer.disconnect();
      unsubscribe();
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData([[...times], [...values]]), [times, values]);
  const known = values.filter((value) => value !== null);
  // An earlier value is not the present one.
  const newest = values.at(-1) ?? undefined;
  const now = newest === undefined ? '–' : formatNumber(newest);
  const summary = t('chartOf', { title, now, most: formatNumber(Math.max(0, ...known)) });
  return (
    <figure class="chart">
      <figcaption>
        {title} <strong>{now}</strong>
      </figcaption>
      <div ref={frame} role="img" aria-label={summary} />
    </figure>
  );
}
