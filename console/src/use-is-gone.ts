import { useCallback, useEffect, useRef } from 'preact/hooks';

/** Says whether the component is on the page no more, for what goes on after an answer that may come when it has been left. */
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
