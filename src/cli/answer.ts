import { formatCount, formatMs, formatUsd } from '../base/units.ts'
import type { Answer, CitedSource, Stage } from './conversation.ts'
import type { Style } from './style.ts'
import { cut, oneLine, pad, padLeft, widthOf } from './text.ts'

/** The parts of an answer below its text: where it comes from, how long it took, what it cost. */

const QUOTES_SHOWN_MAX = 2

/** The sources the answer cites, each with the sentences it rests on. */
export function sourcesText(answer: Answer, width: number, style: Style): string {
  const cited = answer.sources.filter(({ number }) => answer.text.includes(`[${number}]`))
  const others = answer.sources.length - cited.length
  const lines = cited.flatMap((source) => sourceLines(source, width, style))
  if (others > 0)
    lines.push(
      style.dim(`  ${others === 1 ? 'One more passage was' : `${others} more passages were`} read and not used.`),
    )
  return lines.length === 0 ? '' : `${style.bold('Sources')}\n${lines.join('\n')}\n`
}

function sourceLines(source: CitedSource, width: number, style: Style): string[] {
  const mark = `  [${source.number}] `
  const indent = ' '.repeat(mark.length)
  const name = oneLine([source.title, ...source.headings.filter((heading) => heading !== source.title)].join(' › '))
  const uri = oneLine(source.uri)
  const room = width - mark.length
  const beside = widthOf(name) + 2 + widthOf(uri) <= room
  const head = beside
    ? `${mark}${name}  ${style.dim(uri)}`
    : `${mark}${cut(name, room)}\n${indent}${style.dim(cut(uri, room))}`
  const quotes = source.quotes
    .slice(0, QUOTES_SHOWN_MAX)
    .map(({ start, end }) => `${indent}${style.dim(cut(`“${oneLine(source.text.slice(start, end))}”`, room))}`)
  return [head, ...quotes]
}

const STAGES_SHOWN_MAX = 14
const NAME_WIDTH_MAX = 22
const TIME_WIDTH = 9

/** A waterfall: when each stage began and ended, inner stages set in. */
export function stagesText(stages: readonly Stage[], width: number, style: Style): string {
  if (stages.length === 0) return ''
  const totalMs = Math.max(...stages.map(({ endMs }) => endMs), 0.001)
  const shown = stages.slice(0, STAGES_SHOWN_MAX)
  const names = shown.map((stage) =>
    cut(`${'  '.repeat(depthOf(stage, stages))}${oneLine(stage.name)}`, NAME_WIDTH_MAX),
  )
  const nameWidth = Math.max(...names.map(widthOf))
  const barWidth = Math.max(10, Math.min(48, width - nameWidth - TIME_WIDTH - 6))
  const lines = shown.map((stage, at) => {
    const from = Math.min(barWidth - 1, Math.floor((stage.startMs / totalMs) * barWidth))
    const length = Math.max(
      1,
      Math.min(barWidth - from, Math.round(((stage.endMs - stage.startMs) / totalMs) * barWidth)),
    )
    const bar = style.dim('·'.repeat(from)) + '█'.repeat(length) + style.dim('·'.repeat(barWidth - from - length))
    return `  ${pad(names[at] ?? '', nameWidth)}  ${bar}  ${padLeft(formatMs(stage.endMs - stage.startMs), TIME_WIDTH)}`
  })
  if (stages.length > shown.length) lines.push(style.dim(`  and ${stages.length - shown.length} more`))
  return `${style.bold('Stages')}  ${formatMs(totalMs)} in all\n${lines.join('\n')}\n`
}

function depthOf(stage: Stage, stages: readonly Stage[]): number {
  let depth = 0
  for (let parent = stages[stage.parent]; parent !== undefined && depth < 4; parent = stages[parent.parent]) depth++
  return depth
}

/** `512 tokens read, 64 written · $0.00 · req_...`. */
export function billText(answer: Pick<Answer, 'usage' | 'costNanoUsd' | 'requestId'>): string {
  const { usage, costNanoUsd, requestId } = answer
  const parts: string[] = []
  if (usage !== undefined) {
    const whose = usage.estimated ? ' (counted here: the engine sent no usage)' : ''
    parts.push(`${formatCount(usage.input)} tokens read, ${formatCount(usage.output)} written${whose}`)
  }
  if (costNanoUsd === null) parts.push('cost unknown: the deployment has no `price`')
  else if (costNanoUsd !== undefined) parts.push(`cost ${formatUsd(costNanoUsd)}`)
  if (requestId !== undefined) parts.push(`trace ${requestId}`)
  return parts.join(' · ')
}
