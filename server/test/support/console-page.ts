import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach } from 'node:test';
import { type Browser, type BrowserContext, type ElementHandle, launch, type Page } from 'puppeteer-core';
import { FLAGS, findChromium } from './chromium.ts';

export const chromium = findChromium();

export interface ConsolePage {
  readonly page: Page;
  /** Presses the button or follows the link of this name, as a person does who sees no more of it. */
  press(name: string): Promise<void>;
  /** Fills in the field of this label. */
  fill(label: string, value: string): Promise<void>;
  choose(label: string, value: string): Promise<void>;
  /** Waits until the page has this text, and gives all that it shows. */
  shows(text: string | RegExp): Promise<string>;
  /** Fails on anything that the browser has complained of, and on what a person with a screen reader would. */
  assertSound(): Promise<void>;
}

const WAIT_MS = 15_000;
/** A button that is off without a reason, such as while something is asked for, would do nothing. */
const PRESSED = 'button:not([aria-disabled=true]:not([title])), a, summary, input[type=checkbox]';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8');
/** A page that is not there yet must say so, so that a test waits for it and not for a time. */
const SHOWN = 'document.body?.innerText ?? ""';

let started: Promise<{ browser: Browser; profile: string }> | undefined;
const contexts: BrowserContext[] = [];

// A page that nobody looks at any more would go on asking. A part of a test leaves its pages to the next part.
afterEach(async (context) => {
  if ('fullName' in context && context.fullName !== context.name) return;
  await Promise.all(contexts.splice(0).map((each) => each.close()));
});

after(async () => {
  if (started === undefined) return;
  const { browser, profile } = await started;
  await browser.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
});

/** One browser for all tests of a file; each page has a profile of its own in it. */
async function startBrowser(): Promise<Browser> {
  started ??= (async () => {
    const profile = mkdtempSync(join(tmpdir(), 'respark-console-'));
    const args = FLAGS.filter((flag) => flag !== '--headless');
    return { profile, browser: await launch({ executablePath: chromium ?? '', args, userDataDir: profile }) };
  })();
  return (await started).browser;
}

/** The last that can be seen of what has this name, in the dialog that is open, if there is one. */
const named = (selector: string, name: string) => `(() => {
  const root = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document;
  const nameOf = (element) =>
    element.ariaLabel ?? (element.labels?.length ? element.labels[0].textContent : element.textContent);
  return [...root.querySelectorAll('${selector}')]
    .filter((element) => element.checkVisibility() && nameOf(element).trim() === ${JSON.stringify(name)})
    .at(-1);
})()`;

/** Opens the console as somebody does who comes for the first time. */
export async function openConsole(
  url: string,
  {
    hash = '',
    theme = 'light',
    language = 'en',
    width = 1280,
    height = 900,
  }: { hash?: string; theme?: 'light' | 'dark'; language?: string; width?: number; height?: number } = {},
): Promise<ConsolePage> {
  const browser = await startBrowser();
  const context = await browser.createBrowserContext();
  contexts.push(context);
  const page = await context.newPage();
  const complaints = watch(page);
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  await page.evaluateOnNewDocument(`Object.defineProperty(navigator, 'language', { value: '${language}' });
    addEventListener('securitypolicyviolation', (event) =>
      console.error('the policy was broken: ' + event.violatedDirective + ' ' + event.blockedURI));`);
  await page.goto(new URL(`/console/${hash}`, url).href);
  const find = async (selector: string, name: string): Promise<ElementHandle> => {
    try {
      const handle = await page.waitForFunction(named(selector, name), { timeout: WAIT_MS });
      return handle.asElement() as ElementHandle;
    } catch {
      assert.fail(`the page has no ${selector} with the name ${name}, but: ${await page.evaluate(SHOWN)}`);
    }
  };

  return {
    page,
    async press(name) {
      for (;;) {
        const found = await find(PRESSED, name);
        // A live page may draw another in its place at that moment, which a person would press instead.
        const isPressed = await found.click().then(
          () => true,
          async (error: unknown) => {
            if (await found.evaluate((element) => element.isConnected)) throw error;
            return false;
          },
        );
        if (isPressed) return;
      }
    },
    async fill(label, value) {
      const field = await find('input, textarea', label);
      await field.click();
      // A click that selects would select one line of several.
      await page.keyboard.down('Control');
      await page.keyboard.press('KeyA');
      await page.keyboard.up('Control');
      await field.press('Backspace');
      await field.type(value);
    },
    async choose(label, value) {
      await (await find('select', label)).select(value);
    },
    async shows(text) {
      const pattern = typeof text === 'string' ? text : text.source;
      const test = typeof text === 'string' ? 'includes' : 'match';
      const wanted = typeof text === 'string' ? JSON.stringify(pattern) : text.toString();
      try {
        await page.waitForFunction(`(${SHOWN}).${test}(${wanted})`, { timeout: WAIT_MS });
      } catch {
        assert.fail(`the page does not show ${wanted}, but: ${await page.evaluate(SHOWN)}`);
      }
      return String(await page.evaluate(SHOWN));
    },
    async assertSound() {
      assert.deepEqual(complaints, []);
      assert.deepEqual(await faultsOf(page), []);
    },
  };
}

/** What the browser complains of. That the API has refused a call is for the page to show, and no fault of the page. */
function watch(page: Page): string[] {
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (!['error', 'warn'].includes(message.type())) return;
    const isRefusal =
      message.text().startsWith('Failed to load resource') && !message.location().url?.includes('/console');
    if (!isRefusal) complaints.push(`${message.type()}: ${message.text()} at ${message.location().url}`);
  });
  page.on('pageerror', (error) => complaints.push(String(error instanceof Error ? error.stack : error)));
  page.on('requestfailed', (request) => {
    // A page that is left, or that asks again, gives up what it had asked for.
    const why = request.failure()?.errorText;
    if (why !== 'net::ERR_ABORTED') complaints.push(`${request.url()}: ${why}`);
  });
  return complaints;
}

/** The violations that axe-core finds, each with the elements that it is about. */
async function faultsOf(page: Page): Promise<unknown> {
  // A button that has just become another one still has the colours of both.
  await page.evaluate(
    'Promise.allSettled(document.getAnimations().map((each) => each instanceof CSSTransition && each.finished))',
  );
  // The policy of the page does not let scripts be added to it. What the browser is told to evaluate is none of them.
  await page.evaluate(AXE);
  return await page.evaluate(`axe.run().then(({ violations }) => violations.map(({ id, help, nodes }) => ({
    rule: id + ': ' + help,
    elements: nodes.map(({ html, failureSummary }) => html.slice(0, 300) + ' ' + failureSummary),
  })))`);
}

/** Replaces what is in the editor, as a person types. */
export async function write({ page }: ConsolePage, script: string): Promise<void> {
  await page.waitForFunction(
    "document.querySelector('.code-editor')?.shadowRoot?.querySelector('.cm-content') != null",
  );
  await page.click('.code-editor');
  await page.keyboard.down('Control');
  await page.keyboard.press('KeyA');
  await page.keyboard.up('Control');
  await page.keyboard.sendCharacter(script);
}

/** Somebody who has signed in with the key, on the page of this address. */
export async function signIn(
  url: string,
  { accessKeyId, secretAccessKey }: { readonly accessKeyId: string; readonly secretAccessKey: string },
  options: Parameters<typeof openConsole>[1] = {},
): Promise<ConsolePage> {
  const opened = await openConsole(url, options);
  const [id, secret, enter] =
    options.language === 'de'
      ? ['Access-Key-Id', 'Secret-Access-Key', 'Anmelden']
      : ['Access key id', 'Secret access key', 'Sign in'];
  await opened.fill(id, accessKeyId);
  await opened.fill(secret, secretAccessKey);
  await opened.press(enter);
  await opened.page.waitForSelector('.console main');
  return opened;
}
