import { useEffect, useState } from 'preact/hooks';

/** So long nobody types before what was typed is looked at. */
const PAUSE_MS = 400;

/** The text as it was when it had not changed for a moment, so that not every letter is a call. */
export function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
