import { render } from 'preact';
import { App } from './app.tsx';
import { language } from './texts/language.ts';
import { applyTheme } from './theme.ts';

document.documentElement.lang = language.get();
applyTheme();
const root = document.getElementById('console');
if (root !== null) render(<App />, root);
