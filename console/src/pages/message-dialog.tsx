import { useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.tsx';
import { ActionFooter } from '../parts/dialog-footer.tsx';
import { SelectField, TextField } from '../parts/fields.tsx';
import { Failure } from '../parts/notice.tsx';
import { place } from '../place.ts';
import { t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';
import { useIsGone } from '../use-is-gone.ts';
import { firstEntryOf, MESSAGE_KINDS, newMessage } from './configuration-entries.ts';

const KIND_TEXTS = { Request: 'kindRequest', Event: 'kindEvent', Notification: 'kindNotification' } as const;

/** The form that a name must have to be deployed. Spaces around it are left out. */
const NAME = '\\s*[A-Za-z_][A-Za-z0-9_]*\\s*';
/** The longest name of a shape is 64 characters, and that of a message ends with `Notification`. */
const MAX_NAME = 52;

/** Makes a request, an event or a notification with the parts that such a message has. */
export function MessageDialog({
  asked,
  onClose,
  onMade,
  onDone,
}: {
  /** The kind for which the dialog was opened. */
  asked: string;
  onClose: () => void;
  /** Called even if the dialog is gone by then. */
  onMade: () => void;
  onDone: (made: { section: string; name: string }) => void;
}) {
  const { game } = place.get();
  const [name, setName] = useState('');
  const kindOf = (value: string) => MESSAGE_KINDS.find((each) => each === value) ?? 'Request';
  const [kind, setKind] = useState(() => kindOf(asked));
  const read = useAction('GetGameConfiguration');
  const update = useAction('UpdateGameConfiguration');
  const isGone = useIsGone();
  return (
    <Dialog title={t('createMessage')} onClose={onClose}>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          // Somebody else may have made one of this name since the page was read, and what is there already must stay.
          const current = await read.run({ GameName: game });
          if (current === undefined) return;
          const made = newMessage(kind, name.trim(), current.GameConfiguration?.Sections);
          const isMade = made.length === 0 || (await update.run({ GameName: game, Modifications: made })) !== undefined;
          if (!isMade) return;
          onMade();
          if (isGone()) return;
          onDone(firstEntryOf(kind, name.trim()));
          onClose();
        }}
      >
        <TextField
          label={t('messageName')}
          hint={t('messageNameHint')}
          value={name}
          onValue={setName}
          isRequired
          maxLength={MAX_NAME}
          pattern={NAME}
          title={t('messageNameHint')}
        />
        <SelectField
          label={t('messageKind')}
          value={kind}
          onValue={(value) => setKind(kindOf(value))}
          options={MESSAGE_KINDS.map((each) => [each, t(KIND_TEXTS[each])] as const)}
        />
        <Failure error={read.error ?? update.error} />
        <ActionFooter
          onLeave={onClose}
          action={t('createMessage')}
          needs={['UpdateGameConfiguration']}
          isBusy={read.isBusy || update.isBusy}
        />
      </form>
    </Dialog>
  );
}
