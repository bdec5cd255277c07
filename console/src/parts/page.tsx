import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';

/** A page's title, what can be done there, and its content. */
export function Page({
  title,
  actions,
  children,
}: {
  title: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${typeof title === 'string' ? title : document.querySelector('h1')?.textContent} · Respark`;
  }, [title]);
  return (
    <>
      <header class="page-head">
        <h1>{title}</h1>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

export function Section({
  title,
  actions,
  children,
}: {
  title: string;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="section">
      <header>
        <h2>{title}</h2>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

/** One number of a picture, with what it counts. */
export function Stat({ label, value, note }: { label: string; value: ComponentChildren; note?: ComponentChildren }) {
  return (
    <div class="stat">
      <dt>{label}</dt>
      <dd>
        <span>{value}</span>
        {note !== undefined && <small class="muted">{note}</small>}
      </dd>
    </div>
  );
}

/** A state in a word, with a colour that says no more than the word does. */
export function Badge({ kind, children }: { kind: 'good' | 'bad' | 'warning' | 'plain'; children: ComponentChildren }) {
  return <span class={`badge ${kind}`}>{children}</span>;
}
