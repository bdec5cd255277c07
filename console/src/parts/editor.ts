import { autocompletion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { javascript } from '@codemirror/lang-javascript';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { Annotation, EditorState } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { SCRIPT_CALLS } from '../api/script-calls.ts';
import { visible } from './untrusted.tsx';

export interface Editor {
  /** Replaces the text, unless it is this one already. */
  show(text: string): void;
  /** Puts the cursor there; both count from 1. */
  goTo(line: number, column: number): void;
  destroy(): void;
}

/** Marks a text that the page itself has set, and need not be told of. */
const SHOWN = Annotation.define<true>();

const COLOURS = EditorView.theme({
  '&': { color: 'var(--ink)', backgroundColor: 'var(--surface)', fontSize: '0.8125rem', minHeight: '20rem' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '1px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5', maxHeight: '65vh' },
  // A click below the last line is one into the text, too.
  '.cm-content, .cm-gutter': { minHeight: '20rem' },
  '.cm-gutters': { backgroundColor: 'var(--sunk)', color: 'var(--muted)', border: '0' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--accent) 8%, transparent)' },
  '.cm-specialChar': { color: 'var(--danger)' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--accent) 25%, transparent)',
  },
  '.cm-tooltip': { backgroundColor: 'var(--surface)', color: 'var(--ink)', border: '1px solid var(--line)' },
});

const HIGHLIGHTS = HighlightStyle.define([
  { tag: [tags.keyword, tags.bool, tags.null], color: 'var(--accent)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--good)' },
  { tag: tags.number, color: 'var(--warning)' },
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
]);

/**
 * When a selection is typed over, Chromium keeps its look by a style attribute on what replaces it, which the content
 * security policy forbids. So the text is replaced here, before the browser does it.
 */
const REPLACEMENT = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { data, inputType, isComposing } = event;
    if (inputType !== 'insertText' || data === null || isComposing || view.state.selection.main.empty) return false;
    event.preventDefault();
    view.dispatch(view.state.replaceSelection(data), { userEvent: 'input.type', scrollIntoView: true });
    return true;
  },
});

/**
 * Characters that have no shape, or that reverse the direction of what follows, beyond those that the library knows: a
 * script must not do other things than a reader sees.
 */
const UNSEEN = /[\u00a0\u115f\u1160\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\uffa0\u{e0000}-\u{e007f}]/u;

function numberOf(codePoint: number): HTMLElement {
  const element = document.createElement('span');
  element.className = 'cm-specialChar';
  element.textContent = visible(String.fromCodePoint(codePoint));
  return element;
}

/** Completes what follows GameSparks() in a script: first the getters, then the calls of one. */
function complete(context: CompletionContext): CompletionResult | null {
  const call = context.matchBefore(/GameSparks\(\)\.\w+\([^()]*\)\.\w*/);
  if (call !== null) {
    const [, getter = '', typed = ''] = /\.(\w+)\([^()]*\)\.(\w*)$/.exec(call.text) ?? [];
    const options = (SCRIPT_CALLS[getter] ?? []).map(([name, parameters, does]) => ({
      label: name,
      detail: `(${parameters})`,
      info: does,
      apply: `${name}(`,
    }));
    return { from: call.to - typed.length, options, validFor: /^\w*$/ };
  }
  const start = context.matchBefore(/GameSparks\(\)\.\w*/);
  if (start === null) return null;
  const options = Object.keys(SCRIPT_CALLS).map((getter) => ({ label: getter, apply: `${getter}(` }));
  return { from: start.text.lastIndexOf('.') + 1 + start.from, options, validFor: /^\w*$/ };
}

/**
 * The only file that knows the library of editors, which is loaded after the page. It lives in a shadow root: there it
 * makes its styles as objects, where in the page it would add elements that the content security policy forbids.
 */
export function createEditor(
  element: HTMLElement,
  {
    label,
    language,
    text,
    onText,
  }: { label: string; language: 'javascript' | 'json'; text: string; onText: (text: string) => void },
): Editor {
  const root = element.shadowRoot ?? element.attachShadow({ mode: 'open' });
  root.replaceChildren();
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        highlightActiveLine(),
        highlightSpecialChars({ addSpecialChars: UNSEEN, render: numberOf }),
        EditorView.lineWrapping,
        keymap.of([...defaultKeymap, ...historyKeymap]),
        javascript(),
        syntaxHighlighting(HIGHLIGHTS),
        language === 'javascript' ? autocompletion({ override: [complete] }) : [],
        EditorView.contentAttributes.of({ 'aria-label': label }),
        EditorView.updateListener.of((update) => {
          const isTyped = update.docChanged && update.transactions.some((each) => each.annotation(SHOWN) === undefined);
          if (isTyped) onText(update.state.doc.toString());
        }),
        REPLACEMENT,
        COLOURS,
      ],
    }),
  });
  return {
    show(shown) {
      const { doc } = view.state;
      if (doc.toString() === shown) return;
      view.dispatch({ changes: { from: 0, to: doc.length, insert: shown }, annotations: SHOWN.of(true) });
    },
    goTo(line, column) {
      const { doc } = view.state;
      const at = doc.line(Math.min(Math.max(1, line), doc.lines));
      view.dispatch({ selection: { anchor: Math.min(at.from + column - 1, at.to) }, scrollIntoView: true });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}
