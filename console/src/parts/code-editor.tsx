import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../texts/language.ts';
import type { Editor } from './editor.ts';
import { Notice } from './notice.tsx';

/** A text in an editor, whose library is loaded only when there is something to edit. */
export function CodeEditor({
  label,
  language,
  text,
  onText,
  onReady,
}: {
  label: string;
  language: 'javascript' | 'json';
  /** Shown whenever it changes from outside. */
  text: string;
  onText: (text: string) => void;
  onReady: (editor: Editor) => void;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor>(undefined);
  const [isMissing, setMissing] = useState(false);
  const latest = useRef({ text, onText });
  latest.current = { text, onText };
  useEffect(() => {
    let isGone = false;
    import('./editor.ts').then(
      ({ createEditor }) => {
        if (isGone || frame.current === null) return;
        editor.current = createEditor(frame.current, {
          label,
          language,
          text: latest.current.text,
          onText: (changed) => latest.current.onText(changed),
        });
        onReady(editor.current);
      },
      // An empty frame would look like an empty text.
      () => setMissing(true),
    );
    return () => {
      isGone = true;
      editor.current?.destroy();
    };
  }, [label, language]);
  // At once, before another keystroke: later, this text would be older than that in the editor.
  useLayoutEffect(() => editor.current?.show(text), [text]);
  if (isMissing) return <Notice kind="bad">{t('pageNotLoaded')}</Notice>;
  return <div ref={frame} class="code-editor" />;
}
