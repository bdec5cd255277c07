import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Editor } from './editor.ts';

/** A text in an editor, which comes only when there is something to edit. */
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
  const latest = useRef({ text, onText });
  latest.current = { text, onText };
  useEffect(() => {
    let isGone = false;
    void import('./editor.ts').then(({ createEditor }) => {
      if (isGone || frame.current === null) return;
      editor.current = createEditor(frame.current, {
        label,
        language,
        text: latest.current.text,
        onText: (changed) => latest.current.onText(changed),
      });
      onReady(editor.current);
    });
    return () => {
      isGone = true;
      editor.current?.destroy();
    };
  }, [label, language]);
  // At once, before another key can come: later, this would be an older text than that in the editor.
  useLayoutEffect(() => editor.current?.show(text), [text]);
  return <div ref={frame} class="code-editor" />;
}
