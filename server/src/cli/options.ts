import { type Command, Option } from 'commander';
import { loadSettings, SETTING_GROUPS, type SettingFlags, type SettingKey, type Settings } from '../config/config.ts';
import type { World } from './world.ts';

/** Adds the flags of these settings, or of every setting that has one, to a command. */
export function addSettingOptions(command: Command, keys?: readonly SettingKey[]): Command {
  for (const { title, settings } of SETTING_GROUPS) {
    for (const { key, flag, placeholder, help, rule, default: value } of settings) {
      if (flag === undefined || (keys !== undefined && !keys.includes(key))) continue;
      const isSet = value !== undefined && String(value) !== '';
      const option = new Option(`${flag} <${placeholder}>`, `${help} (${rule}${isSet ? `; default ${value}` : ''})`);
      command.addOption(keys === undefined ? option.helpGroup(`${title}:`) : option);
    }
  }
  return command;
}

/** The settings as this command line and environment give them. Throws a SettingsError. */
export function settingsOf(world: World, command: Command): Settings {
  const given: Record<string, unknown> = command.opts();
  const flags: Partial<Record<SettingKey, string>> = {};
  for (const { key, flag } of SETTING_GROUPS.flatMap((group) => group.settings)) {
    const text = given[key];
    if (flag !== undefined && typeof text === 'string') flags[key] = text;
  }
  return loadSettings({ env: world.env, flags: flags satisfies SettingFlags });
}
