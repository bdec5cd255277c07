import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import releaseSync from '@jitl/quickjs-wasmfile-release-sync';
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSSyncVariant,
  type QuickJSWASMModule,
} from 'quickjs-emscripten-core';
import type { EngineExports } from './guest-memory.ts';
import type { CompiledEngine } from './web-assembly.ts';

/** The package declares the types of its CommonJS form, but Node.js imports its form for ES modules. */
const VARIANT = releaseSync as unknown as QuickJSSyncVariant;

/** Pages of WebAssembly memory, of 64 KiB each. The engine's own data and its stack take 81. */
const INITIAL_PAGES = 256;
const MAX_PAGES = 512;

/** One instance of QuickJS, with a memory of its own. */
export interface Engine {
  readonly quickJs: QuickJSWASMModule;
  readonly memory: WebAssembly.Memory;
  readonly exports: EngineExports;
}

/** Compiles QuickJS in some milliseconds. Threads can share the result. */
export async function compileEngine(): Promise<CompiledEngine> {
  const file = createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm');
  return await WebAssembly.compile(await readFile(file));
}

/**
 * Makes an instance in about a millisecond. Its memory is bounded by WebAssembly itself, because the limit that QuickJS
 * offers does not hold in this build.
 */
export async function startEngine(module: CompiledEngine): Promise<Engine> {
  const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAX_PAGES });
  let exports: EngineExports | undefined;
  const variant = newVariant(VARIANT, {
    wasmMemory: memory,
    emscriptenModule: {
      instantiateWasm(imports: object, onSuccess: (instance: WebAssembly.Instance) => void) {
        const instance = new WebAssembly.Instance(module, imports);
        exports = instance.exports as unknown as EngineExports;
        onSuccess(instance);
        return instance.exports;
      },
    },
  });
  const quickJs = await newQuickJSWASMModuleFromVariant(variant);
  if (exports === undefined) throw new Error('QuickJS was started without an instance of its module');
  return { quickJs, memory, exports };
}
