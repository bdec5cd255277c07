import type { CallError } from './api/calls.ts';
import { OPERATIONS } from './api/operations.ts';
import { t } from './texts/language.ts';

/** Whether the call only asks, so that nothing has changed, whatever has become of it. */
export const isQuestion = ({ operation, isPreview }: CallError) => isPreview || OPERATIONS[operation][0] === 'GET';

/** That a call has failed, and why. */
export function failureWords(error: CallError): readonly [what: string, why: string] {
  // A proxy answers so in the place of a server that may have done it: its own failures have a name.
  const isAway = error.status === 0 || (error.status >= 502 && error.code === undefined);
  if (!isAway) return [t('callFailed', { operation: error.operation }), error.message];
  const advice = error.isPreview ? 'previewLost' : isQuestion(error) ? 'serverAwayAdvice' : 'answerLost';
  return [t('serverAway'), t(advice)];
}
