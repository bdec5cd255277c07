import { readFileSync } from 'node:fs';
import { StartupError } from '../startup-error.ts';
import { decodeText, EncodingError, shown, withoutCredentials } from '../text.ts';
import type { Check } from './checks.ts';
import { cloudCode } from './rows/cloud-code.ts';
import { cluster } from './rows/cluster.ts';
import { database } from './rows/database.ts';
import { events } from './rows/events.ts';
import { identity } from './rows/identity.ts';
import { listeners } from './rows/listeners.ts';
import { management } from './rows/management.ts';
import { outside } from './rows/outside.ts';
import { players } from './rows/players.ts';
import { server } from './rows/server.ts';
import { signIn } from './rows/sign-in.ts';
import { type NamedSetting, named, type ValuesOf } from './setting.ts';
import { findKubernetesAdvice, findUnknownVariables } from './unknown-variables.ts';

/**
 * Every setting, in the order of the documentation, and what must hold between them. A capability that needs settings adds
 * a file of rows, and names it here.
 */
const GROUPS = [
  listeners,
  server,
  database,
  cluster,
  management,
  players,
  identity,
  signIn,
  cloudCode,
  outside,
  events,
] as const;

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process. Only the program's first lines read it; all other code is passed an environment. */
export function processEnvironment(): Environment {
  return process.env;
}

type Rows = (typeof GROUPS)[number]['rows'];
type KeyOf<Group> = Group extends unknown ? keyof Group & string : never;
type ValueOf<Group, Key> = Group extends unknown ? (Key extends keyof Group ? ValuesOf<Group>[Key] : never) : never;

export type SettingKey = KeyOf<Rows>;

type Values = { readonly [Key in SettingKey]: ValueOf<Rows, Key> };

/** Where a value came from. */
export type SettingSource = 'default' | 'the environment' | 'a file' | 'the command line';

/** Settings given on the command line, as they were typed. */
export type SettingFlags = Readonly<Partial<Record<SettingKey, string>>>;

/** The value of every setting, and where each value came from. Frozen. */
export type Settings = Values & { readonly sources: Readonly<Record<SettingKey, SettingSource>> };

/** The table, in the order of the documentation. */
export const SETTING_GROUPS: readonly {
  readonly title: string;
  readonly settings: readonly NamedSetting<SettingKey>[];
}[] = GROUPS.map(({ title, rows }) => ({
  title,
  settings: Object.entries(rows).map(([key, row]) => named(key as SettingKey, row)),
}));

const CHECKS: readonly Check<Values>[] = GROUPS.flatMap(({ checks }): readonly Check<Values>[] => checks);

const SETTINGS = SETTING_GROUPS.flatMap(({ settings }) => settings);

/** What is wrong with the settings: one line for each fault. No line shows the value of a secret. */
export class SettingsError extends StartupError {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/**
 * Reads every setting once: flags win over the environment, which wins over the defaults. An empty variable counts as not
 * set. Throws a SettingsError with every fault, unknown `RESPARK_…` variables included.
 */
export function loadSettings({ env = process.env, flags = {} }: { env?: Environment; flags?: SettingFlags }): Settings {
  const faults = findUnknownVariables(env, SETTINGS);
  const values: Partial<Record<SettingKey, unknown>> = {};
  const sources: Partial<Record<SettingKey, SettingSource>> = {};
  for (const setting of SETTINGS) {
    const given = findGiven(setting, { env, flags }, faults);
    const value = given === undefined ? setting.default : setting.parse(given.text);
    if (given !== undefined && value === undefined) faults.push(describeFault(setting, given));
    values[setting.key] = value;
    sources[setting.key] = given?.source ?? 'default';
  }
  // Faults between settings are only worth reading once each of them is right.
  if (faults.length === 0) moveDefaults(values, sources);
  if (faults.length === 0) faults.push(...findFaultsBetween(values as Values));
  if (faults.length > 0) throw new SettingsError(faults);
  return Object.freeze({ ...(values as Values), sources: Object.freeze(sources as Settings['sources']) });
}

/** Every setting in a form that may be printed: a secret only says whether it is set. */
export function settingsForDisplay(
  settings: Settings,
): { key: SettingKey; env: string; value: unknown; source: SettingSource }[] {
  return SETTINGS.map(({ key, env, isSecret }) => {
    const value = isSecret ? (settings[key] === undefined ? 'not set' : 'set') : (settings[key] ?? null);
    return { key, env, value, source: settings.sources[key] };
  });
}

interface Given {
  readonly name: string;
  readonly text: string;
  readonly source: SettingSource;
}

/** What the winning source says about a setting, or undefined when no source sets it. Adds a fault when sources conflict. */
function findGiven(
  { key, env: variable, flag, isSecret }: NamedSetting<SettingKey>,
  { env, flags }: { env: Environment; flags: SettingFlags },
  faults: string[],
): Given | undefined {
  const flagText = flags[key];
  if (flag !== undefined && flagText !== undefined) return { name: flag, text: flagText, source: 'the command line' };
  const text = env[variable];
  const path = isSecret ? env[`${variable}_FILE`] : undefined;
  if (path && text) faults.push(`${variable} and ${variable}_FILE are both set; set only one of them`);
  else if (path) return readSecretFile(`${variable}_FILE`, path, faults);
  return text ? { name: variable, text, source: 'the environment' } : undefined;
}

function readSecretFile(name: string, path: string, faults: string[]): Given | undefined {
  try {
    // Most tools that write such a file end it with a newline.
    return { name, text: decodeText(readFileSync(path)).replace(/\r?\n$/, ''), source: 'a file' };
  } catch (error) {
    if (error instanceof EncodingError) {
      faults.push(`${name} must name a text file, got ${shown(path)}: ${error.message}`);
      return undefined;
    }
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    faults.push(`${name} must name a file that can be read, got ${shown(path)} (${code})`);
    return undefined;
  }
}

function describeFault(setting: NamedSetting, { name, text, source }: Given): string {
  const got = setting.isSecret ? 'got something else (not shown)' : `got ${shown(withoutCredentials(text))}`;
  const fault = `${name} must be ${setting.rule}, ${got} (from ${source})`;
  const advice = findKubernetesAdvice(setting, text) ?? setting.advise?.(text);
  return advice === undefined ? fault : `${fault}: ${advice}`;
}

/** Moves the defaults that give way to what is set, as far as their own rules allow. What still disagrees is a fault. */
function moveDefaults(
  values: Partial<Record<SettingKey, unknown>>,
  sources: Readonly<Partial<Record<SettingKey, SettingSource>>>,
): void {
  for (const check of CHECKS) {
    const setting = SETTINGS.find(({ key }) => key === check.givesWay?.key);
    if (setting === undefined || sources[setting.key] !== 'default') continue;
    if (check(values as Values) === undefined) continue;
    values[setting.key] = setting.parse(String(check.givesWay?.boundOf(values))) ?? setting.default;
  }
}

function findFaultsBetween(values: Values): string[] {
  return CHECKS.map((check) => check(values)).filter((fault) => fault !== undefined);
}
