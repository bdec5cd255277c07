import type { Settings } from '../config/config.ts';
import { createCodeExchange } from '../console/code-exchange.ts';
import type { OneTimeCodes } from '../console/one-time-codes.ts';
import { createTeamSignInSite } from '../console/team-sign-in.ts';
import type { Access } from '../domain/access/access.ts';
import type { Refusals } from '../domain/access/refusals.ts';
import { createTeamSignIn } from '../domain/access/team-sign-in.ts';
import type { Audit } from '../domain/audit/audit.ts';
import type { Site } from '../http/exchange.ts';
import type { Keyring } from '../keyring.ts';
import type { RandomBytes } from '../random.ts';
import { type CommandParts, openSignInProvider } from './backends.ts';
import { createConsoleKeys } from './console-keys.ts';

interface SignInParts extends CommandParts {
  readonly access: Access;
  readonly audit: Audit;
  readonly refusals: Refusals;
  readonly keyring: Keyring;
  readonly random: RandomBytes;
  readonly codes: OneTimeCodes;
  /** The URL of the management listener, which is known when somebody asks. */
  readonly ownUrl: () => string;
}

/** What gives a key to those who have none: newcomers who follow the link of a start, and teams by their provider. */
export function openSignInSites(parts: SignInParts): readonly Site[] {
  const { access, codes, keyring, settings, ownUrl } = parts;
  const codeExchange = createCodeExchange({ codes, makeKey: createConsoleKeys({ access }) });
  const provider = openSignInProvider(parts);
  if (provider === undefined) return [codeExchange];
  // Without a public URL the settings let the server listen on this machine alone, so browsers know it by its own.
  const returnUrl = () => `${settings.publicUrl ?? ownUrl()}/console/`;
  const signIn = createTeamSignIn({ ...parts, provider, sealer: keyring, returnUrl });
  return [codeExchange, createTeamSignInSite({ ...parts, signIn, returnUrl })];
}

/** The name of the provider on the button of the console; undefined without one. */
export function providerName({ signInIssuer, signInName }: Settings): string | undefined {
  return signInIssuer === undefined ? undefined : (signInName ?? new URL(signInIssuer).host);
}
