import { StartupError } from '../startup-error.ts';

/**
 * Loads what `load` imports of the AWS SDK. Not every server needs it, so operators who set `setting` install it: throws a
 * `StartupError` that says how when `packages` are missing.
 */
export async function loadAwsPackage<T>(
  load: () => Promise<T>,
  { setting, packages }: { readonly setting: string; readonly packages: string },
): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    const message = `${setting} needs packages of the AWS SDK that are not installed: run "npm install ${packages}" where respark is installed`;
    throw new StartupError(message, { cause: error });
  }
}
