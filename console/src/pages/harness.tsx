import { useMemo, useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { Button } from '../parts/button.tsx';
import { SelectField, TextField } from '../parts/fields.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Badge, Page } from '../parts/page.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { linkTo, refine, route } from '../route.ts';
import { useSignal } from '../store.ts';
import { formatMilliseconds, t } from '../texts/language.ts';
import { useCall } from '../use-call.ts';
import { messagesOf, type PlayableMessage } from './harness-messages.ts';
import { Inspector } from './inspector.tsx';
import { PayloadFields, usePayload } from './payload-fields.tsx';
import type { ConnectFailure, Sent } from './playing.ts';
import { useDeployed } from './use-deployed.ts';
import { useTestPlayer } from './use-test-player.ts';

const LIVE_MS = 5_000;

/** Plays the messages of what is deployed, as a player does, and shows all that happens. */
export function Harness() {
  const { game, stage } = useSignal(place);
  return <Page title={t('harness')}>{stage !== '' && <HarnessOfStage game={game} stage={stage} />}</Page>;
}

function HarnessOfStage({ game, stage }: { game: string; stage: string }) {
  const info = useCall('GetServerInfo', {});
  const now = useDeployed({ game, stage }, { everyMs: LIVE_MS });
  const { deployed } = now;
  const url = info.isLoading ? undefined : playerUrlOf(info.data);
  const player = useTestPlayer({ game, stage, url });
  const { state } = player;
  const isStale = state.phase === 'connected' && now.isKnown && state.deploymentId !== deployed?.DeploymentId;
  return (
    <>
      <Failure error={now.error} />
      {!info.isLoading && url === undefined && (
        <Notice kind="warning">{t('ownListener', { origin: location.origin })}</Notice>
      )}
      <ConnectForm
        player={player}
        at={{ game, stage }}
        isDisabled={url === undefined || now.isLoading}
        onConnect={(as) => void player.connect(as, deployed?.DeploymentId)}
      />
      {state.phase === 'closed' && state.failure !== undefined && (
        <WhyNotConnected failure={state.failure} url={url ?? ''} />
      )}
      {isStale && <Notice kind="warning">{t('newerDeployment')}</Notice>}
      <div class="harness">
        {now.isKnown && deployed === undefined ? (
          <div class="empty">
            <p>{t('nothingDeployed')}</p>
            <p class="muted">{t('deployFirst')}</p>
            <p>
              <a class="button" href={linkTo('configuration', { game, stage })}>
                {t('makeFirstMessage')}
              </a>
            </p>
          </div>
        ) : (
          <MessageForm sections={now.sections} player={player} />
        )}
        <div class="inspected">
          <header>
            <h2>{t('inspector')}</h2>
            <Button isDisabled={player.entries.length === 0} onClick={player.clear}>
              {t('inspectorClear')}
            </Button>
          </header>
          <Inspector entries={player.entries} />
        </div>
      </div>
    </>
  );
}

/** Where players connect: where this page comes from, unless the server says that they do so elsewhere. */
function playerUrlOf(info: Outputs['GetServerInfo'] | undefined): string | undefined {
  if (info?.PlayerUrl !== undefined) return info.PlayerUrl;
  if (info?.Features.includes('player-listener')) return undefined;
  return new URL('../connect', document.baseURI).href.replace(/^http/, 'ws');
}

type Player = ReturnType<typeof useTestPlayer>;

function ConnectForm({
  player: { state, disconnect, lastAs },
  at,
  isDisabled,
  onConnect,
}: {
  player: Player;
  at: { game: string; stage: string };
  isDisabled: boolean;
  onConnect: (playerId: string | undefined) => void;
}) {
  const [before] = useState(lastAs);
  const [as, setAs] = useState(before !== undefined && before.playerId === undefined ? 'guest' : 'player');
  const [playerId, setPlayerId] = useState(before?.playerId ?? 'test-player');
  const isGuest = as === 'guest';
  return (
    <form
      class="card connect"
      onSubmit={(event) => {
        event.preventDefault();
        if (state.phase === 'closed') onConnect(isGuest ? undefined : playerId.trim());
        else disconnect();
      }}
    >
      <div class="inline">
        <SelectField
          label={t('connectAs')}
          value={as}
          onValue={setAs}
          options={[
            ['player', t('connectAsPlayer')],
            ['guest', t('connectAsGuest')],
          ]}
        />
        {!isGuest && (
          <TextField label={t('playerId')} value={playerId} onValue={setPlayerId} isRequired maxLength={44} />
        )}
        {state.phase === 'connected' ? (
          <Button type="submit">{t('disconnect')}</Button>
        ) : (
          <Button
            kind="primary"
            type="submit"
            needs={[isGuest ? 'GetStage' : 'CreatePlayerToken']}
            isBusy={state.phase === 'connecting'}
            isDisabled={isDisabled}
          >
            {state.phase === 'connecting' ? t('connecting') : t('connect')}
          </Button>
        )}
        {state.phase === 'connected' && (
          <p class="connected" role="status">
            <Badge kind="good">{t('connectedAs')}</Badge>{' '}
            <a href={linkTo('player', { ...at, player: state.playerId })}>
              <Id id={state.playerId} />
            </a>
          </p>
        )}
      </div>
      {state.phase === 'connected' ? (
        <p class="hint">{t('playGoesOn')}</p>
      ) : (
        !isGuest && <p class="hint">{t('playExplained')}</p>
      )}
    </form>
  );
}

/** Says why there is no connection, and which setting allows one. */
function WhyNotConnected({ failure, url }: { failure: ConnectFailure; url: string }) {
  if (failure.error !== undefined) return <Failure error={failure.error} />;
  if (failure.code === 'origin_refused')
    return <Notice kind="bad">{t('originRefused', { origin: location.origin })}</Notice>;
  if (failure.code === 'maintenance' || failure.code === 'blocked') return <KeptOut by={failure.code} />;
  return (
    <Notice kind="bad">
      <p>
        <Untrusted text={t('connectFailed', { url, why: failure.message })} />
      </p>
      {failure.code === 'abnormal' && <p>{t('connectFailedAdvice')}</p>}
    </Notice>
  );
}

/** Says that the player is not let in, like any other in their place, and links to the page where that can be changed. */
function KeptOut({ by }: { by: 'maintenance' | 'blocked' }) {
  const at = useSignal(place);
  const page = by === 'maintenance' ? 'maintenance' : 'blocks';
  return (
    <Notice kind="warning">
      <p>
        <strong>{t(by === 'maintenance' ? 'stageIsClosed' : 'playerIsBlocked')}</strong> {t('testPlayerToo')}{' '}
        <a href={linkTo(page, { ...at })}>{t(page)}</a>
      </p>
    </Notice>
  );
}

const keyOf = ({ kind, type }: PlayableMessage) => `${kind} ${type}`;

function MessageForm({
  sections,
  player,
}: {
  sections: NonNullable<Outputs['GetSnapshot']['Snapshot']>['Sections'];
  player: Player;
}) {
  const { query } = useSignal(route);
  const messages = useMemo(() => messagesOf(sections), [sections]);
  const message = messages.find((each) => keyOf(each) === query.message) ?? messages[0];
  const payload = usePayload(sections, message && { key: keyOf(message), shape: message.shape });
  if (sections === undefined) return <p class="muted">{t('loading')}</p>;
  if (message === undefined) return <div class="empty">{t('noMessages')}</div>;
  return (
    <form
      class="card form"
      onSubmit={(event) => {
        event.preventDefault();
        if (payload.fault === undefined) void player.send(message, JSON.parse(payload.text));
      }}
    >
      <SelectField
        label={t('message')}
        value={keyOf(message)}
        onValue={(key) => refine({ message: key })}
        options={messages.map(
          (each) =>
            [keyOf(each), `${each.type} (${each.kind === 'event' ? t('harnessEvent') : t('harnessRequest')})`] as const,
        )}
      />
      {message.description !== '' && (
        <p class="muted">
          <Untrusted text={message.description} />
        </p>
      )}
      <PayloadFields payload={payload} />
      <Button
        kind="primary"
        type="submit"
        isBusy={player.sent?.kind === 'waiting'}
        isDisabled={payload.fault !== undefined || player.state.phase !== 'connected'}
      >
        {t('send')}
      </Button>
      <Outcome sent={player.sent} />
    </form>
  );
}

function Outcome({ sent }: { sent: Sent | undefined }) {
  switch (sent?.kind) {
    case 'event':
      return <Notice kind="info">{t('eventSent')}</Notice>;
    case 'unsent':
      return (
        <Notice kind="bad">
          <Untrusted text={t('sentFailed', { why: sent.text })} />
        </Notice>
      );
    case 'answer':
    case 'error':
      return (
        <Notice kind={sent.kind === 'answer' ? 'good' : 'bad'}>
          <p>
            <strong>
              {t(sent.kind === 'answer' ? 'answerAfter' : 'errorAfter', { ms: formatMilliseconds(sent.afterMs) })}
            </strong>
          </p>
          <Untrusted text={sent.text} keepsLines />
        </Notice>
      );
    default:
      return null;
  }
}
