import { fileURLToPath } from 'node:url'

/** A file or folder that is shipped with the program, in a checkout and in a package alike. */
export const inPackage = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))
