import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** No window, no sandbox (a container has none to give), no network traffic of its own, and tabs that a page opens. */
export const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-popup-blocking',
  // Each window would load two pages for what somebody types into its address bar, which take more of a processor than
  // most pages that are tested.
  '--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup',
];

/** The browser's program, if the search path has one. */
export function findChromium(): string | undefined {
  const directories = (process.env.PATH ?? '').split(delimiter);
  return directories.flatMap((directory) => PROGRAMS.map((name) => join(directory, name))).find(isExecutable);
}

/**
 * Opens a page in a browser with a profile of its own; the browser is killed when the test ends. The returned promise
 * resolves when the browser has ended, with the reason.
 */
export function openInChromium(t: TestContext, program: string, url: URL): Promise<string> {
  const profile = mkdtempSync(join(tmpdir(), 'respark-chromium-'));
  // The browser gets a process group of its own, so that its many processes end together.
  const browser = spawn(program, [...FLAGS, `--user-data-dir=${profile}`, url.href], {
    detached: true,
    // The files that it leaves behind are removed with the profile.
    env: { ...process.env, TMPDIR: profile },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  browser.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const ended = once(browser, 'exit').then(
    ([code, signal]) => `${program} ended with ${code ?? signal}: ${said.slice(-2_000)}`,
    (error: Error) => `${program} could not be started: ${error.message}`,
  );
  t.after(async () => {
    if (browser.pid !== undefined && browser.exitCode === null) process.kill(-browser.pid, 'SIGKILL');
    await ended;
    // Its last processes may still be writing when they are killed.
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  });
  return ended;
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
