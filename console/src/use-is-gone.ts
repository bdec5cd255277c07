import { useCallback, useEffect, useRef } from 'preact/hooks';

/** Says whether the component has left the page, for code that goes on after an answer which may come too late. */
export function useIsGone(): () => boolean {
  const isGone = useRef(false);
  useEffect(
    () => () => {
      isGone.current = true;
    },
    [],
  );
  return useCallback(() => isGone.current, []);
}
