import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { fault, reasonOf } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'

/** Certificate and key of a server, in PEM, read again whenever the files change: what renews a
 *  certificate needs to tell nobody. */

export interface CertificateFiles {
  /** The chain, the server's own first. */
  readonly certificate: string
  readonly key: string
}

/** How often the files are looked at; by name, so that swapped links are seen. */
const LOOK_MS = 2_000
const VERSION_MIN = 'TLSv1.2'

export class Certificate {
  readonly #files: CertificateFiles
  #seen: string
  #options: SecureContextOptions
  #timer: NodeJS.Timeout | undefined

  /** Throws a `Fault` (`certificate_unusable`). */
  constructor(files: CertificateFiles) {
    this.#files = files
    this.#seen = lookAt(files)
    try {
      this.#options = read(files)
    } catch (thrown) {
      throw fault('certificate_unusable', { path: files.certificate, reason: reasonOf(thrown) }, thrown)
    }
  }

  get options(): SecureContextOptions {
    return this.#options
  }

  /** Looks at the files until `stop`. While they are of no use, the former stay in force. */
  follow(log: Log | undefined, onChange: (options: SecureContextOptions) => void): void {
    this.#timer = setInterval(() => this.look(log, onChange), LOOK_MS)
    this.#timer.unref()
  }

  look(log: Log | undefined, onChange: (options: SecureContextOptions) => void): void {
    const seen = lookAt(this.#files)
    if (seen === this.#seen) return
    this.#seen = seen
    try {
      this.#options = read(this.#files)
      onChange(this.#options)
      log?.write('info', 'a new certificate is in force', { certificate: this.#files.certificate })
    } catch (thrown) {
      const { certificate } = this.#files
      log?.write('error', 'a new certificate cannot be used; the former stays', {
        certificate,
        reason: reasonOf(thrown),
      })
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

/** Throws where they are missing, or do not belong to each other. */
function read({ certificate, key }: CertificateFiles): SecureContextOptions {
  const options = { cert: readFileSync(certificate), key: readFileSync(key), minVersion: VERSION_MIN } as const
  createSecureContext(options)
  return options
}

const lookAt = ({ certificate, key }: CertificateFiles): string =>
  [certificate, key]
    .map((path) => {
      const found = statSync(path, { throwIfNoEntry: false })
      return found === undefined ? 'none' : `${found.ino} ${found.size} ${found.mtimeMs}`
    })
    .join(', ')
