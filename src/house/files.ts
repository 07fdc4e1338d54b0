import { Batches } from '../batch/batches.ts'
import { systemClock as clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { systemRandom as random } from '../base/random.ts'
import type { LoadedConfig } from '../config/load.ts'
import { batchRoutes } from '../control/batches.ts'
import { fileRoutes } from '../control/files.ts'
import { messageBatchRoutes } from '../control/message-batches.ts'
import type { Route } from '../control/router.ts'
import type { HouseStore } from './store.ts'
import { Files } from '../files/files.ts'
import type { Audit } from '../guard/audit.ts'
import type { Keyring } from '../guard/keyring.ts'
import type { Blobs } from '../store/blobs.ts'
import type { HouseGateway } from './gateway.ts'
import type { Library } from './library.ts'

/** Files that callers send, and the batches that are run from them. */

interface Shared {
  readonly store: HouseStore
  /** In force now. */
  readonly loaded: () => LoadedConfig
}

export const openFiles = ({ store, loaded, blobs }: Shared & { readonly blobs: Blobs }): Promise<Files> =>
  Files.open({
    clock,
    random,
    rows: store.rows,
    blobs,
    ownerBytesMax: () => loaded().config.files.ownerMiBMax * 2 ** 20,
  })

export const openBatches = ({
  store,
  loaded,
  log,
  files,
  keyring,
  gateway,
}: Shared & {
  readonly log: Log
  readonly files: Files
  readonly keyring: Keyring
  readonly gateway: HouseGateway
}): Batches =>
  new Batches({
    clock,
    random,
    log,
    rows: store.rows,
    queue: store.queue,
    files,
    principalOf: (key) => keyring.named(key),
    handleFor: (principal) => gateway.handleFor(principal),
    forget: (scope, keys) => gateway.forgetAnswers(scope, keys),
    parallel: () => loaded().config.batches.parallel,
    limits: () => {
      const { bodyBytesMax: bytesMax, bodyDepthMax: depthMax } = loaded().config.limits
      return { bytesMax, depthMax }
    },
  })

export function keptRoutes(
  { rows }: Pick<HouseStore, 'rows'>,
  { files }: Library,
  batches: Batches,
  audit: Audit,
): Route[] {
  return [
    ...fileRoutes({ rows, files }),
    ...batchRoutes({ rows, batches, audit }),
    ...messageBatchRoutes({ clock, rows, batches, files }),
  ]
}

/** Now and then: removes what is over, and takes up what was not begun. */
export async function tendFiles({ files, attachments }: Library, batches: Batches): Promise<void> {
  await files.sweep()
  await batches.sweep()
  await batches.resume()
  await attachments.resume()
}
