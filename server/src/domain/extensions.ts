import type { Page, PageRequest } from './pagination.ts';

export interface Extension {
  readonly namespace: string;
  readonly name: string;
  readonly description: string;
}

export interface ExtensionVersion {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** JSON Schema of the sections that the extension owns, at most 2,048 characters: what configurations are checked with. */
  readonly schema: string;
}

/** What this server offers to cloud code. */
export interface Extensions {
  list(request: PageRequest): Promise<Page<Extension>>;
  /** Throws `not_found`, as do the following. */
  get(namespace: string, name: string): Extension;
  versions(namespace: string, name: string, request: PageRequest): Promise<Page<ExtensionVersion>>;
  version(namespace: string, name: string, version: string): ExtensionVersion;
}
