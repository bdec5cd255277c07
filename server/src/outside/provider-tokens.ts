import type { Clock } from '../clock.ts';
import type { ProviderTokens } from '../domain/players/provider-tokens.ts';
import type { Log } from '../log.ts';
import { shown } from '../text.ts';
import { type LookUps, SYSTEM_LOOK_UPS } from './look-up.ts';
import { OutsideFault } from './outside-fault.ts';
import { createAskProvider, type ProviderSettings } from './provider-requests.ts';
import { createCheckSignedToken, issuerOf, refused } from './signed-tokens.ts';

/** Checks the tokens of stages' providers. What a token says of itself decides only whose keys are asked. */
export function createProviderTokens({
  clock,
  log,
  settings,
  lookUps = SYSTEM_LOOK_UPS,
}: {
  clock: Clock;
  log: Pick<Log, 'warn'>;
  settings: ProviderSettings;
  lookUps?: LookUps;
}): ProviderTokens & { close(): void } {
  const stopping = new AbortController();
  const ask = createAskProvider({
    ...{ purpose: 'keys of identity providers', clock, log, lookUps, settings },
    stopping: stopping.signal,
  });
  const check = createCheckSignedToken({ clock, log, ask });

  return {
    async verify(token, providers, stage) {
      const issuer = issuerOf(token);
      if (issuer === undefined) return refused('the token is neither one of this stage nor a signed JWT');
      const provider = providers.find((candidate) => candidate.issuer === issuer);
      if (provider === undefined) return refused(`no provider of this stage is the issuer ${shown(issuer)}`);
      const checked = await check(token, provider, { id: stage.id, group: stage.gameId });
      return checked.isGenuine ? { ...checked, provider } : checked;
    },
    close: () => stopping.abort(new OutsideFault('unavailable', 'the server is stopping')),
  };
}
