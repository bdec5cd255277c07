/**
 * Parts of a whole as one bar, beside which the same stands in words. It is drawn by attributes, because the content
 * security policy lets no element have a style of its own.
 */
export function Shares({
  label,
  total,
  parts,
}: {
  label: string;
  total: number;
  parts: readonly (readonly [kind: 'good' | 'bad' | 'plain', size: number])[];
}) {
  const whole = Math.max(
    1,
    total,
    parts.reduce((sum, [, size]) => sum + size, 0),
  );
  let from = 0;
  return (
    <svg class="shares" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label={label}>
      {parts.map(([kind, size]) => {
        const x = from;
        const width = (100 * size) / whole;
        from += width;
        return <rect key={kind} class={kind} x={x} y="0" width={width} height="8" />;
      })}
    </svg>
  );
}
