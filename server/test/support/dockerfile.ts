import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, posix, relative, sep } from 'node:path';

interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** What a stage of a Dockerfile has made: a folder in place of its root, and what a process in it would be given. */
export interface Image {
  readonly root: string;
  readonly env: Record<string, string>;
  workdir: string;
  user: string;
  volume: string;
  entrypoint: string[];
  command: string[];
  health: string[];
}

const MAX_RUN_MS = 300_000;

/** The instructions, one a line, without comments. */
export function parseDockerfile(text: string): Instruction[] {
  const lines = text.replace(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '');
  return [...lines.matchAll(/^([A-Z]+) +(.*)$/gm)].map(([, name = '', rest = '']) => ({ name, text: rest.trim() }));
}

/** Copies what the builder would be sent: everything but what `.dockerignore` names. */
export function copyContext(from: string, to: string): void {
  const ignored = readFileSync(join(from, '.dockerignore'), 'utf8')
    .trim()
    .split('\n')
    .map(
      (pattern) => new RegExp(`^${pattern.replaceAll('.', '\\.').replace('**/', '(.*/)?').replaceAll('*', '[^/]*')}$`),
    );
  const isSent = (path: string) => {
    const name = relative(from, path).replaceAll(sep, '/');
    return !ignored.some((pattern) => pattern.test(name));
  };
  cpSync(from, to, { recursive: true, filter: isSent });
}

/**
 * Does in folders what a builder does in images, with the Node.js and npm of this machine, and gives the last stage. A
 * step sees the real root of this machine, so it may name only what lies below its WORKDIR. Owners are not changed.
 */
export async function buildImage(parts: {
  readonly instructions: readonly Instruction[];
  readonly context: string;
  readonly scratch: string;
}): Promise<Image> {
  const { instructions, context, scratch } = parts;
  const stages = new Map<string, Image>();
  let image: Image | undefined;
  for (const { name, text } of instructions) {
    if (name === 'FROM') {
      const [, , stage = `stage-${stages.size}`] = text.split(/ +/);
      image = createImage(join(scratch, stage));
      stages.set(stage, image);
      continue;
    }
    if (image === undefined) throw new Error(`${name} comes before FROM`);
    if (name === 'RUN') await run(image, text);
    else if (name === 'COPY') copy(image, text, { context, stages });
    else if (!note(image, name, text)) throw new Error(`this builder does not know ${name}`);
  }
  if (image === undefined) throw new Error('the Dockerfile has no stage');
  return image;
}

/** The words of a command with the folder of the image in place of its root. */
export function inImage({ root }: Image, text: string): string {
  return text.replaceAll(/(?<=^|:)\/(?=respark|var\/)/g, `${root}/`);
}

function createImage(root: string): Image {
  mkdirSync(root, { recursive: true });
  return { root, env: {}, workdir: '/', user: '', volume: '', entrypoint: [], command: [], health: [] };
}

/** Takes what an instruction only says about processes; false when it is another instruction. */
function note(image: Image, name: string, text: string): boolean {
  switch (name) {
    case 'EXPOSE':
      return true;
    case 'WORKDIR':
      image.workdir = text;
      mkdirSync(join(image.root, text), { recursive: true });
      return true;
    case 'ENV':
      for (const [, key = '', value = ''] of text.matchAll(/(\w+)=("[^"]*"|\S*)/g))
        image.env[key] = value.replaceAll('"', '');
      return true;
    case 'USER':
      image.user = text;
      return true;
    case 'VOLUME':
      image.volume = text;
      return true;
    case 'ENTRYPOINT':
      image.entrypoint = JSON.parse(text);
      return true;
    case 'CMD':
      image.command = JSON.parse(text);
      return true;
    case 'HEALTHCHECK':
      image.health = JSON.parse(text.slice(text.indexOf('CMD ') + 4));
      return true;
    default:
      return false;
  }
}

/** A file goes into a folder, a folder's content into a folder, as the builder does it. */
function copy(image: Image, text: string, from: { context: string; stages: ReadonlyMap<string, Image> }): void {
  const words = text.split(/ +/);
  const [, stage] = /^--from=(\S+)$/.exec(words[0] ?? '') ?? [];
  const paths = words.filter((word) => !word.startsWith('--'));
  const target = posix.resolve(image.workdir, paths.pop() ?? '');
  const source = stage === undefined ? from.context : from.stages.get(stage)?.root;
  if (source === undefined) throw new Error(`there is no stage ${stage}`);
  for (const path of paths) {
    const file = join(source, path);
    const to = join(image.root, target);
    mkdirSync(to, { recursive: true });
    const isDirectory = statSync(file).isDirectory();
    // Links stay as they are: those of npm lead to the workspaces by relative paths.
    cpSync(file, isDirectory ? to : join(to, basename(file)), { recursive: true, verbatimSymlinks: true });
  }
}

async function run(image: Image, text: string): Promise<void> {
  const options = { cwd: join(image.root, image.workdir), env: { ...process.env, ...image.env }, timeout: MAX_RUN_MS };
  await new Promise<void>((resolve, reject) => {
    execFile('sh', ['-c', text], options, (error, stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`${text} failed: ${stdout}${stderr}`, { cause: error }));
    });
  });
}
