import { Refusal, toProblem } from '../base/errors.ts'
import { reachable } from '../base/http.ts'
import { formatMs } from '../base/units.ts'
import { billText, sourcesText, stagesText } from './answer.ts'
import type { ExitCode, Input, Run } from './command.ts'
import type { CliContext } from './context.ts'
import { ask } from './conversation.ts'
import { textOf } from './fields.ts'
import { Declined, declinedBy, report } from './declined.ts'
import { callApi } from './exchange.ts'
import { type House, type HouseEvent, PROCESS_ROLES, type ProcessRole } from './house.ts'
import { wrongUse } from './keys-terms.ts'
import { drawIngest, ingestText } from './ingest.ts'
import { openProgress, type Progress } from './progress.ts'
import { styleFor, widthFor, type Style } from './style.ts'
import { StreamWrapper } from './text.ts'

type UpInput = Input<
  readonly [],
  {
    question: { type: 'text'; value: string; summary: string }
    gateways: { type: 'count'; value: string; summary: string; least: number; most: number }
    roles: { type: 'text'; value: string; summary: string }
  }
>

export const run: Run<UpInput> = async ({ flags }, context) => {
  const roles = flags.roles === undefined ? PROCESS_ROLES : readRoles(flags.roles)
  if (roles instanceof Declined) return report(context, roles, false)
  const stage = new Stage(context)
  stage.say(
    `${stage.style.bold(`Headworks ${context.version}`)} on Node ${context.probes.nodeVersion}, ${context.probes.platform}`,
  )
  let house: House | Refusal
  try {
    house = await context.startHouse({
      onEvent: (event) => stage.show(event),
      ...(flags.gateways === undefined ? {} : { gateways: flags.gateways }),
      ...(flags.roles === undefined ? {} : { roles }),
    })
  } catch (thrown) {
    stage.endProgress()
    return report(context, declinedBy(toProblem(thrown)), false)
  }
  stage.endProgress()
  if (house instanceof Refusal) return report(context, declinedBy(house), false)
  return serve(house, stage, roles, flags.question, context)
}

/** The terminal while the house runs. */
class Stage {
  readonly style: Style
  readonly width: number
  readonly #context: CliContext
  #progress: Progress | undefined
  #ingesting = ''
  #ingestBeganMs = 0
  /** The first admin key, while it may be shown. */
  key: string | undefined
  isSecure = false

  constructor(context: CliContext) {
    this.#context = context
    this.style = styleFor(context.stdout, context.env)
    this.width = widthFor(context.stdout)
  }

  say(line: string): void {
    this.endProgress()
    this.#context.stdout.write(`${line}\n`)
  }

  show(event: HouseEvent): void {
    switch (event.step) {
      case 'opened':
        return this.say(`${this.#done()} data folder ${event.data}${event.created ? ', made just now' : ''}`)
      case 'admin_key':
        this.key = event.key
        return this.say(keyBlock(event.key, this.style))
      case 'ingest':
        return this.#ingest(event.progress)
      case 'listening':
        this.isSecure = event.isSecure === true
        return this.say(
          `${this.#done()} listening on ${originOf(event.address, event.isSecure)}${event.gateways > 1 ? ` with ${event.gateways} gateways` : ''}, ready after ${formatMs(event.afterMs)}`,
        )
      case 'reloaded': {
        if (event.applied.length > 0)
          this.say(`${this.#done()} headworks.yaml has changed; taken over: ${event.applied.join(', ')}`)
        if (event.needsRestart.length > 0)
          this.say(`${this.style.warning('!')} takes effect at the next start: ${event.needsRestart.join(', ')}`)
        return
      }
      case 'reload_refused':
        return this.say(
          `${this.style.warning('!')} The changed configuration is not taken over; the one in force stays.\n${event.reason}`,
        )
    }
  }

  endProgress(): void {
    this.#progress?.end()
    this.#progress = undefined
  }

  #ingest(progress: Extract<HouseEvent, { step: 'ingest' }>['progress']): void {
    const { clock, stderr } = this.#context
    if (this.#ingesting !== progress.run) {
      this.#ingesting = progress.run
      this.#ingestBeganMs = clock.monotonicMs()
    }
    if (progress.endedAt == null) {
      this.#progress ??= openProgress(stderr, clock, `Reading ${progress.collection}`)
      return drawIngest(this.#progress, progress)
    }
    const { read, removed } = progress.files
    // A folder may well hold files of other kinds; they are counted, and only trouble is named.
    const skipped = progress.skipped.filter(({ code }) => code !== 'document_unsupported')
    // Nothing new is no news.
    if (read + removed + skipped.length === 0 && progress.state !== 'failed') return this.endProgress()
    const mark = progress.state === 'failed' ? this.style.bad('✗') : this.#done()
    this.say(
      `${mark} ${ingestText({ ...progress, skipped }, this.width, clock.monotonicMs() - this.#ingestBeganMs).trimEnd()}`,
    )
  }

  #done(): string {
    return this.style.good('✓')
  }
}

const keyBlock = (key: string, style: Style): string => `
${style.bold('  Your admin key. It is shown this once; only its hash is kept.')}

    export HEADWORKS_KEY=${key}
`

async function serve(
  house: House,
  stage: Stage,
  roles: readonly ProcessRole[],
  question: string | undefined,
  context: CliContext,
): Promise<ExitCode> {
  if (question !== undefined && roles.includes('gateway') && !context.stopped.aborted)
    await tryOut(house, stage, question, context)
  if (!context.stopped.aborted)
    stage.say(roles.includes('control') ? await invitation(house, stage, question) : only(roles))
  await stopAsked(context)
  stage.say('Stopping: answers in flight may end.')
  await house.stop()
  stage.say(`${stage.style.good('✓')} stopped`)
  return 0
}

const only = (roles: readonly ProcessRole[]): string => `This process has the roles ${roles.join(', ')}.`

function readRoles(text: string): readonly ProcessRole[] | Declined {
  const named = text.split(',').map((role) => role.trim())
  const roles = PROCESS_ROLES.filter((role) => named.includes(role))
  if (named.every((role) => PROCESS_ROLES.some((one) => one === role))) return roles
  return wrongUse(
    `--roles is ${PROCESS_ROLES.join(', ')}, or some of them with commas between, not "${text.slice(0, 80)}".`,
  )
}

const stopAsked = ({ stopped }: CliContext): Promise<void> =>
  new Promise((resolve) => {
    if (stopped.aborted) return resolve()
    stopped.addEventListener('abort', () => resolve(), { once: true })
  })

/** Asks one question as any application would, over TCP, and shows how the answer came about. A
 *  failure is shown and does not stop the house. */
async function tryOut(house: House, stage: Stage, question: string, context: CliContext): Promise<void> {
  const { stdout } = context
  stage.say(`\n${stage.style.bold(`“${question}”`)}\n`)
  const writer = new StreamWrapper(stage.width, (text) => stdout.write(text))
  try {
    const answer = await ask(house.network, 'docs', question, {
      onText: (text) => writer.push(text),
      signal: context.stopped,
    })
    writer.end()
    stdout.write('\n\n')
    if (answer instanceof Declined) return void report(context, answer, false)
    const parts = [
      sourcesText(answer, stage.width, stage.style),
      stagesText(answer.stages, stage.width, stage.style),
      `${billText(answer)}\n`,
    ]
    stdout.write(parts.filter((part) => part.trim() !== '').join('\n'))
  } catch (thrown) {
    writer.end()
    if (!context.stopped.aborted) report(context, declinedBy(toProblem(thrown)), false)
  }
}

/** A socket's file has no name that a URL could say. */
const originOf = (address: string, isSecure = false): string =>
  `http${isSecure ? 's' : ''}://${address.startsWith('/') ? 'localhost' : address}`

/** Where to go from here: the console, and one request to copy. */
async function invitation(house: House, stage: Stage, question: string | undefined): Promise<string> {
  const { bold, dim } = stage.style
  const link = await callApi(house.control, 'POST', '/api/login', {}).catch((thrown: unknown) =>
    declinedBy(toProblem(thrown)),
  )
  const origin = originOf(reachable(house.address), stage.isSecure)
  const curl = house.address.startsWith('/') ? `curl --unix-socket ${house.address}` : 'curl'
  const url = link instanceof Declined ? `${origin}/` : textOf(link['url'])
  const key = stage.key ?? '$HEADWORKS_KEY'
  const body = JSON.stringify({
    model: 'docs',
    messages: [{ role: 'user', content: question ?? 'How do I ingest my own documents?' }],
  })
  const hint =
    stage.key === undefined ? `\n  ${dim('No key at hand? export HEADWORKS_KEY=$(npx headworks keys create me)')}` : ''
  stage.key = undefined
  return `
${bold('Console')}   ${url}
          ${dim('This link signs in once; `npx headworks login` makes another.')}
${bold('Try it')}
  ${curl} ${origin}/v1/chat/completions -H "Authorization: Bearer ${key}" \\
    -H "Content-Type: application/json" -d '${body.replace(/'/g, "'\\''")}'${hint}

${dim('Ctrl-C stops it.')}`
}
