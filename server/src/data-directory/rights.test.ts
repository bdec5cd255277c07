import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../store/test-store.ts';
import { openDataDirectory } from './data-directory.ts';

const NOBODY = 65_534;
const OTHER = 12_345;
const skip = process.geteuid?.() === 0 ? false : 'only root can make directories of several users';

/** A directory as a volume is mounted, on a path that every user may enter. */
function volume(t: TestContext, { uid, gid = 0, mode }: { uid: number; gid?: number; mode: number }): string {
  const above = temporaryDirectory(t);
  chmodSync(above, 0o755);
  const path = join(above, 'volume');
  mkdirSync(path);
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return path;
}

/** Does the work as an ordinary user. */
function asNobody<T>(work: () => T): T {
  process.setegid?.(NOBODY);
  process.seteuid?.(NOBODY);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

const open = (path: string) => {
  const directory = openDataDirectory({ path });
  directory.close();
  return directory;
};
const statOf = (path: string) => {
  const { uid, gid, mode } = statSync(path);
  return [uid, gid, (mode & 0o7777).toString(8)];
};

describe('a mounted volume', { skip }, () => {
  for (const [title, mode, warnings] of [
    ['that the group may write is used as it is', 0o2775, /every user of this machine may enter .*\(mode 775\)/],
    ['that only the group may enter is used without a warning', 0o2770, /^$/],
    ['that everybody may write is used with a warning', 0o777, /every user of this machine may enter .*\(mode 777\)/],
  ] as const) {
    it(title, (t) => {
      const path = volume(t, { uid: 0, gid: NOBODY, mode });
      mkdirSync(join(path, 'lost+found'), { mode: 0o700 });
      const before = statOf(path);
      const directory = asNobody(() => open(path));
      assert.match(directory.warnings.join('\n'), warnings);
      assert.deepEqual(statOf(path), before);
      assert.deepEqual(statOf(join(path, 'secret.key')), [NOBODY, NOBODY, '600']);
      assert.equal(asNobody(() => open(path)).keyring.keyId, directory.keyring.keyId);
    });
  }

  it('whose files got rights for the group at a mount takes them back from those files', (t) => {
    const path = volume(t, { uid: 0, gid: NOBODY, mode: 0o2770 });
    asNobody(() => open(path));
    const databases = ['respark.sqlite', 'player-data.sqlite', 'player-data.sqlite-wal', 'stage-logs.sqlite'];
    for (const name of databases) {
      writeFileSync(join(path, name), '');
      chownSync(join(path, name), NOBODY, NOBODY);
    }
    for (const name of ['secret.key', ...databases]) chmodSync(join(path, name), 0o660);
    asNobody(() => openDataDirectory({ path, isShared: true }).close());
    assert.deepEqual(statOf(join(path, 'secret.key'))[2], '660', 'a command changes nothing');
    asNobody(() => open(path));
    for (const name of ['secret.key', ...databases]) assert.equal(statOf(join(path, name))[2], '600');
  });

  it('that cannot be written is refused with the cause', (t) => {
    const path = volume(t, { uid: 0, gid: NOBODY, mode: 0o750 });
    assert.throws(() => asNobody(() => open(path)), {
      name: 'StartupError',
      message:
        /^cannot use the data directory \S+: the user that runs this has no permission \(EACCES\): make that user/,
    });
  });

  it('with what storage puts there is used', (t) => {
    const path = volume(t, { uid: 0, gid: NOBODY, mode: 0o2770 });
    for (const name of ['.snapshot', 'System Volume Information']) mkdirSync(join(path, name));
    asNobody(() => open(path));
  });

  it('of another ordinary user is refused with a directory in it that would do', (t) => {
    const path = volume(t, { uid: OTHER, gid: NOBODY, mode: 0o2770 });
    assert.throws(() => asNobody(() => open(path)), {
      name: 'StartupError',
      message: new RegExp(
        `or set RESPARK_DATA_DIR to a directory of your own, such as ${join(path, 'respark')} if you trust that user$`,
      ),
    });
    asNobody(() => open(join(path, 'respark')));
  });

  it('with lost+found in it belongs to the user that owns it', (t) => {
    const path = volume(t, { uid: 0, mode: 0o755 });
    mkdirSync(join(path, 'lost+found'), { mode: 0o700 });
    open(path);
    assert.equal(statOf(path)[2], '700');
  });
});

test('a link that leads nowhere is refused by that name', (t) => {
  const path = join(temporaryDirectory(t), 'data');
  symlinkSync('/nowhere', path);
  assert.throws(() => open(path), {
    name: 'StartupError',
    message: `the data directory ${path} is a symbolic link to /nowhere, which does not exist: mount or make that, or set RESPARK_DATA_DIR`,
  });
});

describe('what is no file is refused in the place of one', { skip: process.geteuid === undefined }, () => {
  for (const name of ['respark.sqlite', 'audit.sqlite-shm', 'events.journal', 'secret.key', 'demo.json', 'lock']) {
    for (const [what, make] of [
      ['a directory', (path: string) => mkdirSync(path, { mode: 0o700 })],
      ['a pipe, a socket or a device', (path: string) => execFileSync('mkfifo', ['-m', '600', path])],
    ] as const) {
      it(`${what} named ${name}`, (t) => {
        const path = join(temporaryDirectory(t), 'data');
        open(path);
        rmSync(join(path, name), { force: true });
        make(join(path, name));
        assert.throws(() => open(path), {
          name: 'StartupError',
          message: `${join(path, name)} is ${what}, but must be a file: move it away, or set RESPARK_DATA_DIR to another directory`,
        });
      });
    }
  }
});

describe('what another ordinary user has put there is refused', { skip }, () => {
  for (const [who, as] of [
    ['root', <T>(work: () => T) => work()],
    ['an ordinary user', asNobody],
  ] as const) {
    it(`a directory, by ${who}`, (t) => {
      const path = volume(t, { uid: OTHER, mode: 0o777 });
      writeFileSync(join(path, 'lock'), '');
      writeFileSync(join(path, 'respark.sqlite'), '');
      writeFileSync(join(path, 'secret.key'), `${Buffer.alloc(32, 7).toString('base64')}\n`);
      for (const isShared of [false, true]) {
        assert.throws(() => as(() => openDataDirectory({ path, isShared })), {
          name: 'StartupError',
          message: new RegExp(
            `^the data directory ${path} belongs to user ${OTHER}, but this runs as user \\d+: run ${isShared ? 'the command as that user' : '"chown -R'}`,
          ),
        });
      }
      assert.deepEqual(readdirSync(path).sort(), ['lock', 'respark.sqlite', 'secret.key']);
    });
  }

  const names = [
    ...['secret.key', 'root-credentials', 'respark.sqlite', 'player-data.sqlite'],
    ...['audit.journal', 'events.journal', 'events.journal.new'],
  ];
  for (const name of names) {
    it(`a ${name} in a directory that everybody may write`, (t) => {
      const path = volume(t, { uid: 0, mode: 0o1777 });
      asNobody(() => open(path));
      writeFileSync(join(path, name), '');
      chownSync(join(path, name), OTHER, OTHER);
      chmodSync(join(path, name), 0o600);
      assert.throws(() => asNobody(() => open(path)), {
        name: 'StartupError',
        message: new RegExp(`^${join(path, name)} belongs to user ${OTHER}, but this runs as user ${NOBODY}: `),
      });
    });
  }

  for (const name of ['reserve', 'lock', 'respark.sqlite', 'stage-logs.sqlite-wal', 'audit.journal']) {
    it(`a symbolic link ${name} that leads to a file of the server's user`, (t) => {
      const path = volume(t, { uid: 0, gid: NOBODY, mode: 0o2770 });
      asNobody(() => open(path));
      const file = join(path, '..', 'letter');
      writeFileSync(file, 'dear');
      chownSync(file, NOBODY, NOBODY);
      chmodSync(file, 0o644);
      rmSync(join(path, name), { force: true });
      symlinkSync(file, join(path, name));
      lchownSync(join(path, name), OTHER, OTHER);
      for (const isShared of name === 'lock' ? [false] : [false, true]) {
        assert.throws(() => asNobody(() => openDataDirectory({ path, isShared })), {
          name: 'StartupError',
          message: `the symbolic link ${join(path, name)} belongs to user ${OTHER}, but this runs as user ${NOBODY}: remove it, or set RESPARK_DATA_DIR to a directory of your own`,
        });
      }
      assert.deepEqual([readFileSync(file, 'utf8'), statOf(file)[2]], ['dear', '644']);
    });
  }

  it('but not a link of its own user, who may keep a file elsewhere', (t) => {
    const path = volume(t, { uid: NOBODY, gid: NOBODY, mode: 0o700 });
    const elsewhere = volume(t, { uid: NOBODY, gid: NOBODY, mode: 0o700 });
    asNobody(() => {
      writeFileSync(join(elsewhere, 'audit.sqlite'), '');
      symlinkSync(join(elsewhere, 'audit.sqlite'), join(path, 'audit.sqlite'));
      open(path);
    });
  });
});

describe('a file that came while a server runs', { skip }, () => {
  const files: readonly (readonly [title: string, make: (file: string) => void, text: string | undefined])[] = [
    ['counts when it is of the user of the server', (file) => own(file, NOBODY), 'text'],
    ['counts when it is of the superuser', (file) => chmodSync(own(file, 0), 0o644), 'text'],
    ['does not count when it is of another user', (file) => chmodSync(own(file, OTHER), 0o644), undefined],
    ['does not count when it is a link', (file) => symlinkSync(own(`${file}.target`, NOBODY), file), undefined],
    ['does not count when it is a pipe, for whose writer nothing waits', makePipe, undefined],
    ['does not count when it is not there', () => {}, undefined],
  ];
  for (const [title, make, text] of files) {
    it(title, (t) => {
      const path = volume(t, { uid: 0, gid: NOBODY, mode: 0o2770 });
      const directory = asNobody(() => openDataDirectory({ path }));
      t.after(() => directory.close());
      make(join(path, 'console-code.json'));
      assert.equal(
        asNobody(() => directory.readOwnFile('console-code.json')),
        text,
      );
    });
  }

  function own(file: string, uid: number): string {
    writeFileSync(file, 'text', { mode: 0o600 });
    chownSync(file, uid, uid);
    return file;
  }

  function makePipe(file: string): void {
    execFileSync('mkfifo', [file]);
    chownSync(file, NOBODY, NOBODY);
  }
});

describe('secrets that every user can read or change are refused', { skip: process.platform === 'win32' }, () => {
  for (const [name, mode] of [
    ['secret.key', 0o644],
    ['secret.key', 0o602],
    ['root-credentials', 0o604],
  ] as const) {
    it(`${name} with mode ${mode.toString(8)}, which stays as it is`, (t) => {
      const path = temporaryDirectory(t);
      open(path);
      const before = name === 'secret.key' ? readFileSync(join(path, name)) : '{}';
      writeFileSync(join(path, name), before);
      writeFileSync(join(path, 'respark.sqlite'), '');
      chmodSync(join(path, name), mode);
      for (const isShared of [false, true]) {
        assert.throws(() => openDataDirectory({ path, isShared }), {
          name: 'StartupError',
          message: new RegExp(
            `^every user .* secrets in ${join(path, name)} \\(mode ${mode.toString(8)}\\): run "chmod 600`,
          ),
        });
      }
      assert.equal(statSync(join(path, name)).mode & 0o777, mode);
    });
  }
});

describe('a file of the server that its user may not write', () => {
  const isOrdinary = process.geteuid !== undefined && process.geteuid() !== 0;
  const closed = (t: TestContext) => {
    const path = join(temporaryDirectory(t), 'data');
    open(path);
    const [database, secret] = [join(path, 'audit.sqlite'), join(path, 'secret.key')];
    writeFileSync(database, '');
    for (const file of [database, secret]) chmodSync(file, 0o400);
    return { path, database, secret };
  };

  it('gets the rights back at the start, unless it is a secret', { skip: process.geteuid === undefined }, (t) => {
    const { path, database, secret } = closed(t);
    open(path);
    assert.deepEqual([statOf(database)[2], statOf(secret)[2]], ['600', '400']);
  });

  it('is named to a command (skipped for root, who may write it)', { skip: !isOrdinary }, (t) => {
    const { path } = closed(t);
    assert.throws(() => openDataDirectory({ path, isShared: true }), {
      name: 'StartupError',
      message: /^user \d+, who runs this, may not read and write \S+\/audit\.sqlite \(mode 400, .*"chmod 600 /,
    });
  });

  it('keeps no command from its work when it is replaced whole (skipped for root)', { skip: !isOrdinary }, (t) => {
    const path = join(temporaryDirectory(t), 'data');
    open(path);
    writeFileSync(join(path, 'respark.sqlite'), '');
    for (const name of ['console-code.json', 'demo.json', 'running.json']) {
      writeFileSync(join(path, name), '{}');
      chmodSync(join(path, name), 0);
    }
    openDataDirectory({ path, isShared: true }).close();
  });
});
