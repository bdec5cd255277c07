import { t } from '../texts/language.ts';
import { Button } from './button.tsx';

/** The button for what is not shown yet. */
export function More({ pages }: { pages: { hasMore: boolean; isBusy: boolean; more: () => void } }) {
  if (!pages.hasMore) return null;
  return (
    <p class="more">
      <Button isBusy={pages.isBusy} onClick={pages.more}>
        {t('more')}
      </Button>
    </p>
  );
}
