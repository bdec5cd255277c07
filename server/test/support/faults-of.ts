import assert from 'node:assert/strict';
import { loadSettings, SettingsError } from '../../src/config/config.ts';

/** What is wrong with these settings; empty when nothing is. */
export function faultsOf(env: Record<string, string>, flags: Record<string, string> = {}): readonly string[] {
  try {
    loadSettings({ env, flags });
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    assert.equal(error.message, error.faults.join('\n'));
    return error.faults;
  }
  return [];
}
