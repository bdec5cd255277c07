import { AreaField, TextField } from '../parts/fields.tsx';
import { t } from '../texts/language.ts';

/** Why players have to go: a code for programs, words for the players, and a note that only the audit log keeps. */
export interface Wording {
  readonly reason: string;
  readonly message: string;
  readonly evidence: string;
}

export const NO_WORDING: Wording = { reason: '', message: '', evidence: '' };

/** Suggestions; any other code can be typed. */
const REASONS = ['AFK', 'ABUSE', 'CHEATING', 'MAINTENANCE'] as const;

/** The members of a call that have the wording. */
export function wordingMembers({ reason, message, evidence }: Wording) {
  return {
    Reason: reason.trim() || undefined,
    Message: message.trim() || undefined,
    Evidence: evidence.trim() || undefined,
  };
}

export function WordingFields({
  wording: { reason, message, evidence },
  onChange,
  reasons = REASONS,
  rows = 3,
}: {
  wording: Wording;
  onChange: (change: Partial<Wording>) => void;
  reasons?: readonly string[];
  rows?: number;
}) {
  return (
    <>
      <TextField
        label={t('reason')}
        hint={t('reasonHint')}
        value={reason}
        onValue={(typed) => onChange({ reason: typed })}
        maxLength={64}
        suggestions={reasons}
      />
      <AreaField
        label={t('messageToPlayer')}
        value={message}
        onValue={(typed) => onChange({ message: typed })}
        rows={rows}
        maxLength={500}
      />
      <AreaField
        label={t('evidence')}
        hint={t('evidenceHint')}
        value={evidence}
        onValue={(typed) => onChange({ evidence: typed })}
        rows={rows}
        maxLength={4_096}
      />
    </>
  );
}
