import { render } from 'preact';
import { App } from './app.tsx';
import { takeCode } from './code.ts';
import { actOncePerPress } from './held-keys.ts';
import { keepFocus } from './lost-focus.ts';
import { session } from './session.ts';
import { takeReturn } from './team-sign-in.ts';
import { language } from './texts/language.ts';
import { applyTheme } from './theme.ts';

document.documentElement.lang = language.get();
applyTheme();
keepFocus();
actOncePerPress();
// A person who is signed in has asked no provider, so what is sent here in its name is dropped, and leaves the address.
if (session.get() !== undefined) {
  takeReturn();
  takeCode();
}
const root = document.getElementById('console');
if (root !== null) render(<App />, root);
