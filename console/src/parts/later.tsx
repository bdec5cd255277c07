import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../texts/language.ts';
import { Notice } from './notice.tsx';
import { Page } from './page.tsx';

/** Stands for a page until it is loaded: it has a heading, as all pages have. */
export function LoadingPage() {
  return <Page title={t('loading')}>{null}</Page>;
}

/** A page that is loaded only when it is opened, because it brings much that the others do without. */
export function later(load: () => Promise<FunctionComponent>): FunctionComponent {
  return function Later() {
    const [state, setState] = useState<{ Show?: FunctionComponent; isMissing?: boolean }>({});
    useEffect(() => {
      load().then(
        (Show) => setState({ Show }),
        () => setState({ isMissing: true }),
      );
    }, []);
    if (state.Show !== undefined) return <state.Show />;
    if (!state.isMissing) return <LoadingPage />;
    return (
      <Page title="Respark">
        <Notice kind="bad">{t('pageNotLoaded')}</Notice>
      </Page>
    );
  };
}
