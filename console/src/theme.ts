import { ofBrowser } from './storage.ts';
import { signal } from './store.ts';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const STORED = 'respark.theme';

export function currentTheme(): Theme {
  const stored = ofBrowser.getItem(STORED);
  return THEMES.find((theme) => theme === stored) ?? 'auto';
}

/** Changes whenever the colours may have changed, for drawings that do not follow by themselves. */
export const colours = signal(0);

const repaint = () => colours.set(colours.get() + 1);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);

/** Colours follow `color-scheme`, which is the browser's own choice unless the person has chosen here. */
export function applyTheme(theme: Theme = currentTheme()): void {
  ofBrowser.setItem(STORED, theme);
  document.documentElement.dataset.theme = theme;
  repaint();
}
