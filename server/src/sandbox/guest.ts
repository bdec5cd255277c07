import type { QuickJSContext, QuickJSHandle, QuickJSRuntime } from 'quickjs-emscripten-core';
import type { Clock } from '../clock.ts';
import type { LogLevel } from '../log.ts';
import { type Engine, startEngine } from './engine.ts';
import { installGuestApi } from './guest-api.ts';
import { GuestMemory, type Snapshot } from './guest-memory.ts';
import type { CompiledEngine } from './web-assembly.ts';

/** What one invocation may use. */
export interface GuestLimits {
  /** The engine counts a tick each 10,000 calls and jumps back, the same number for the same work on any machine. */
  readonly maxTicks: number;
  /** Does not include host calls. It bounds recursion that is caught, which can run for seconds within few ticks. */
  readonly maxBusyMs: number;
  /** How far the heap may grow beyond its size at rest before the instance is replaced. */
  readonly maxGrowthBytes: number;
}

/** What the guest can reach. Texts are read only when they are wanted, because reading a long one takes long. */
export interface GuestHost {
  /**
   * Runs one operation of the host API, and returns its answer as JSON: `{"result":…}` or
   * `{"error":{"code":…,"message":…}}`.
   */
  readonly call: (operation: string, readParameters: () => string) => string;
  readonly log: (level: LogLevel, readText: () => string) => void;
}

/**
 * How much of the engine's own stack of 5 MiB a script may use. Deeper recursion, also of the engine's parsers, is an
 * error of the script.
 */
const STACK_BYTES = 98_304;

/**
 * A deployment refuses a script that closes the function around it, so that the rest would run while it is compiled.
 * Should one come through, it is stopped after so many ticks and does not occupy its thread. The first tick may come at
 * once.
 */
const MAX_TICKS_TO_COMPILE = 2;

/** The extra time of a script that has hardly computed anything, as a multiple of its limit. */
const GRACE = 3;

/** What precedes the first line of a script. */
export const WRAPPER_START = '(function(message){';

/**
 * The same length without the parameter, for a script that declares its own `message` with `let`, `const` or `class`.
 */
const WRAPPER_WITHOUT_MESSAGE = '(function(       ){';

export const OUT_OF_MEMORY = 'it used more memory than a script may (32 MiB)';

export type Finished =
  | { readonly kind: 'returned'; readonly text: string }
  /** The script used up what `by` names. */
  | { readonly kind: 'stopped'; readonly by: 'ticks' | 'time' | 'calls' }
  /** Memory ran out, or the engine failed. */
  | { readonly kind: 'broken'; readonly cause: string };

/** The scripts of one runtime, compiled, in the memory of the instance. */
export interface ScriptSet {
  readonly snapshot: Snapshot;
  /** The names of the handlers, as texts in that memory. */
  readonly names: ReadonlyMap<string, QuickJSHandle>;
}

/** The seeds of the random numbers of one invocation, of 32 bits each. */
export type Seeds = readonly [number, number, number, number];

/**
 * One instance of QuickJS, for one game. Before each invocation, its memory is put back to what it was when the scripts
 * had been compiled, so that nothing of an earlier invocation is left. An instance that can't be put back is spoiled,
 * and must be replaced. It runs one invocation at a time.
 */
export class Guest {
  readonly #engine: Engine;
  readonly #memory: GuestMemory;
  readonly #context: QuickJSContext;
  readonly #limits: GuestLimits;
  readonly #clock: Clock;
  readonly #define: QuickJSHandle;
  readonly #run: QuickJSHandle;
  readonly #base: Snapshot;
  /** What the memory holds now; undefined when something has changed it since. */
  #atRest: Snapshot | undefined;
  #isSpoiled = false;
  /**
   * What the engine does with a script now: nothing else is limited. While it compiles, nothing of the script should
   * run.
   */
  #underWay: 'compiling' | 'invocation' | undefined;
  #ticks = 0;
  #isExhausted = false;
  #busyUntil = 0;
  #isStopped = false;

  static async create(parts: {
    engine: CompiledEngine;
    host: GuestHost;
    limits: GuestLimits;
    clock: Clock;
  }): Promise<Guest> {
    return new Guest(await startEngine(parts.engine), parts);
  }

  private constructor(engine: Engine, { host, limits, clock }: { host: GuestHost; limits: GuestLimits; clock: Clock }) {
    this.#engine = engine;
    this.#limits = limits;
    this.#clock = clock;
    this.#memory = new GuestMemory(engine);
    const runtime = engine.quickJs.newRuntime();
    runtime.setMaxStackSize(STACK_BYTES);
    this.#limitTime(runtime);
    const context = runtime.newContext();
    this.#context = context;
    // The context makes these when they are first asked for, which must not be after the snapshot.
    void [context.undefined, context.null, context.true, context.false, context.global];
    const installed = this.#install(host);
    this.#define = context.getProp(installed, 'define');
    this.#run = context.getProp(installed, 'run');
    this.#base = this.#memory.save();
    this.#atRest = this.#base;
  }

  /** Whether the instance can't be used any more. */
  get isSpoiled(): boolean {
    return this.#isSpoiled;
  }

  /** Bytes of WebAssembly memory that are in use at rest. */
  get bytes(): number {
    return this.#base.bytes;
  }

  /**
   * Forgets all scripts, so that others can be loaded. If the scripts took too much memory for that, the guest is
   * spoiled.
   */
  clear(): void {
    if (!this.#isSpoiled) this.#isSpoiled = !this.#restored(this.#base);
  }

  /**
   * Compiles scripts, given as handler name → body of a function. One that does not compile, for instance because it
   * nests too deeply, fails whenever it is invoked; the others are as good as without it.
   */
  load(scripts: ReadonlyMap<string, string>): ScriptSet {
    this.#restore(this.#base);
    this.#atRest = undefined;
    // If anything is thrown on the way, the contents of the memory are unknown.
    this.#isSpoiled = true;
    const names = new Map<string, QuickJSHandle>();
    for (const [handler, script] of scripts) names.set(handler, this.#defineOne(handler, script));
    const snapshot = this.#memory.save();
    this.#isSpoiled = false;
    this.#atRest = snapshot;
    return { snapshot, names };
  }

  /** Runs one handler, in a guest that is as fresh as after `load`. */
  invoke({ snapshot, names }: ScriptSet, handler: string, inputJson: string, seeds: Seeds): Finished {
    this.#restore(snapshot);
    this.#atRest = undefined;
    this.#start();
    const context = this.#context;
    this.#underWay = 'invocation';
    try {
      const result = context.callFunction(
        this.#run,
        context.undefined,
        names.get(handler) ?? context.newString(handler),
        context.newString(inputJson),
        context.newNumber(seeds[0]),
        context.newNumber(seeds[1]),
        context.newNumber(seeds[2]),
        context.newNumber(seeds[3]),
      );
      // The handles are not released: what they point to is gone when the memory is put back. Some of the engine's own
      // functions turn the stop of a script into an error that the script can catch.
      if (this.#isStopped) return this.#stopped();
      if (result.error === undefined) return { kind: 'returned', text: context.getString(result.value) };
      this.#isSpoiled = true;
      return { kind: 'broken', cause: OUT_OF_MEMORY };
    } catch (error) {
      // Whatever is thrown out of WebAssembly leaves the engine in the middle of its work.
      this.#isSpoiled = true;
      return this.#isStopped ? this.#stopped() : { kind: 'broken', cause: String(error) };
    } finally {
      this.#underWay = undefined;
    }
  }

  /**
   * Puts the memory back after an invocation, so that the next one need not wait for that. The guest is spoiled if
   * other scripts have since taken too much memory for it.
   */
  rest({ snapshot }: ScriptSet): void {
    if (!this.#isSpoiled) this.#isSpoiled = !this.#restored(snapshot);
  }

  /**
   * Whether the script has used up its ticks or its time, and will be stopped at its next tick. One that has hardly
   * computed gets extra time, because the system may have run other threads meanwhile. Its first tick may come at once:
   * the count towards a tick goes on from where it was in the snapshot.
   */
  get isOver(): boolean {
    const { maxTicks, maxBusyMs } = this.#limits;
    const graceMs = this.#ticks <= 1 ? GRACE * maxBusyMs : 0;
    return this.#ticks > maxTicks || this.#clock.monotonic() > this.#busyUntil + graceMs;
  }

  /** Gives the script back time that it spent waiting for the host. */
  addTime(ms: number): void {
    this.#busyUntil += ms;
  }

  /** Stops the script at its next tick, because it has made too many calls. */
  exhaust(): void {
    this.#isExhausted = true;
    this.#ticks = this.#limits.maxTicks + 1;
  }

  /** A copy of all memory, for tests. */
  copyMemory(): Uint8Array {
    return new Uint8Array(this.#engine.memory.buffer).slice();
  }

  #install(host: GuestHost): QuickJSHandle {
    const context = this.#context;
    const hostHandle = context.newObject();
    // These handles are never released: otherwise no restore would bring the functions back.
    const call = context.newFunction('call', (operation, parameters) =>
      context.newString(host.call(context.getString(operation), () => context.getString(parameters))),
    );
    const log = context.newFunction('log', (level, text) => {
      host.log(context.getString(level) as LogLevel, () => context.getString(text));
    });
    context.setProp(hostHandle, 'call', call);
    context.setProp(hostHandle, 'log', log);
    const install = context.unwrapResult(context.evalCode(`(${installGuestApi.toString()})`, 'game-sparks'));
    return context.unwrapResult(context.callFunction(install, context.undefined, hostHandle));
  }

  /** Returns the name of the handler, in a handle that is good for as long as the memory holds these scripts. */
  #defineOne(handler: string, script: string): QuickJSHandle {
    const context = this.#context;
    const compiled = this.#compile(handler, script);
    const name = context.newString(handler);
    context.unwrapResult(context.callFunction(this.#define, context.undefined, name, compiled)).dispose();
    compiled.dispose();
    return name;
  }

  #compile(handler: string, script: string): QuickJSHandle {
    const context = this.#context;
    let fault: unknown;
    for (const start of [WRAPPER_START, WRAPPER_WITHOUT_MESSAGE]) {
      this.#ticks = 0;
      this.#underWay = 'compiling';
      const compiled = context.evalCode(`${start}${script}\n})`, handler);
      this.#underWay = undefined;
      if (compiled.error === undefined) return compiled.value;
      fault ??= context.dump(compiled.error);
      compiled.error.dispose();
    }
    return context.unwrapResult(context.evalCode(failingScript(handler, fault), handler));
  }

  #limitTime(runtime: QuickJSRuntime): void {
    runtime.setInterruptHandler(() => {
      if (this.#underWay === undefined) return false;
      this.#ticks += 1;
      if (this.#underWay === 'compiling') return this.#ticks > MAX_TICKS_TO_COMPILE;
      this.#isStopped ||= this.isOver;
      return this.#isStopped;
    });
  }

  #stopped(): Finished {
    if (this.#isExhausted) return { kind: 'stopped', by: 'calls' };
    return { kind: 'stopped', by: this.#ticks > this.#limits.maxTicks ? 'ticks' : 'time' };
  }

  #start(): void {
    this.#ticks = 0;
    this.#isExhausted = false;
    this.#isStopped = false;
    this.#busyUntil = this.#clock.monotonic() + this.#limits.maxBusyMs;
  }

  #restore(snapshot: Snapshot): void {
    this.#isSpoiled ||= !this.#restored(snapshot);
    if (this.#isSpoiled) throw new Error('a spoiled guest cannot be used again');
  }

  #restored(snapshot: Snapshot): boolean {
    if (this.#atRest === snapshot) return true;
    if (!this.#memory.restore(snapshot, this.#limits.maxGrowthBytes)) return false;
    this.#atRest = snapshot;
    return true;
  }
}

/** Stands in for a script that does not compile: it throws the fault from where that is in the script. */
function failingScript(handler: string, fault: unknown): string {
  const { name, message, stack } = { name: 'SyntaxError', message: 'it does not compile', stack: '', ...Object(fault) };
  const at = String(stack)
    .split(`${handler}:`)[1]
    ?.match(/^\d{1,7}:\d{1,7}/)?.[0];
  const error = { name, message, stack: at === undefined ? '' : `(${handler}:${at})` };
  return `(function(){throw ${JSON.stringify(error)}})`;
}
