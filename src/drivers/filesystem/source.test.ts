import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Stock, sourceContract } from '../../../tests/kit/source-contract.ts'
import { NO_SOURCES } from '../../../tests/kit/sources.ts'
import type { SourceConfig } from '../../config/schema.ts'

async function stock(spec: (folder: string) => SourceConfig): Promise<Stock> {
  const root = await mkdtemp(join(tmpdir(), 'headworks-source-'))
  const folder = join(root, 'shelf')
  await mkdir(folder)
  await writeFile(join(folder, 'left-out.rst'), 'A purple plum.')
  return {
    spec: spec(folder),
    sources: NO_SOURCES,
    put: (name, content) => writeFile(join(folder, name), content),
    remove: (name) => rm(join(folder, name)),
    vanish: () => rm(folder, { recursive: true }),
    close: () => rm(root, { recursive: true, force: true }),
  }
}

sourceContract('glob', () => stock((folder) => ({ kind: 'glob', pattern: join(folder, '**/*.{md,txt,pdf}') })), {
  revised: false,
})
