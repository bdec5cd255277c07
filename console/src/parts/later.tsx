import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../texts/language.ts';
import { Notice } from './notice.tsx';

/** A page that is loaded only when somebody opens it, because it brings much that the others do without. */
export function later(load: () => Promise<FunctionComponent>): FunctionComponent {
  return function Later() {
    const [state, setState] = useState<{ Show?: FunctionComponent; isMissing?: boolean }>({});
    useEffect(() => {
      load().then(
        (Show) => setState({ Show }),
        () => setState({ isMissing: true }),
      );
    }, []);
    if (state.isMissing) return <Notice kind="bad">{t('pageNotLoaded')}</Notice>;
    return state.Show === undefined ? <p class="muted">{t('loading')}</p> : <state.Show />;
  };
}
