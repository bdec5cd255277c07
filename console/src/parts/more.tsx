import { formatTime, t } from '../texts/language.ts';
import { Button } from './button.tsx';

/**
 * The button for what is not shown yet. A list stops being live once it has several pages, and then says from when they
 * are.
 */
export function More({
  pages: { hasMore, isBusy, stoodAt, cutAt, more, reload },
}: {
  pages: {
    hasMore: boolean;
    isBusy: boolean;
    stoodAt: number | undefined;
    cutAt: number | undefined;
    more: () => void;
    reload: () => void;
  };
}) {
  return (
    <>
      {stoodAt !== undefined && (
        <p class="as-of muted" role="status">
          {t('listStoodAt', { time: formatTime(stoodAt) })}{' '}
          <button type="button" class="link" onClick={reload}>
            {t('refresh')}
          </button>
        </p>
      )}
      {cutAt !== undefined && (
        <p class="as-of muted" role="status">
          {t('listCutAt', { n: cutAt })}
        </p>
      )}
      {hasMore && (
        <p class="more">
          <Button isBusy={isBusy} onClick={more}>
            {t('more')}
          </Button>
        </p>
      )}
    </>
  );
}
