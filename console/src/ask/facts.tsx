import { useEffect, useState } from 'react'
import { CopyText } from '../design/copy.tsx'
import { Icon } from '../design/icon.tsx'
import { Cell, TitleBlock } from '../design/titleblock.tsx'
import { Link } from '../shell/link.tsx'
import { formatCount, formatMs, formatNanoUsd } from '../design/units.ts'
import { isRunning, type Asked } from './store.ts'

const TICK_MS = 100

const COUNTED = 'Counted by Headworks: the engine sent no usage'

/** The engines that come with the house: they run in its own processes and cost nothing. */
const EMBEDDED = /^(?:reader|lexical)(?:\/|$)/

interface Props {
  readonly asked: Asked
  readonly canTrace: boolean
  readonly elapsedMs: () => number
}

/** The title block of an answer. */
export function Facts({ asked, canTrace, elapsedMs }: Props) {
  const { report, firstTokenMs, totalMs } = asked
  const { grounded } = report
  const total = useTicking(isRunning(asked), elapsedMs) ?? totalMs
  const deployment = deploymentOf(asked)
  const guess = report.estimated === true ? '≈ ' : ''
  return (
    <TitleBlock label="Facts about the answer">
      <Cell name="First token">{firstTokenMs !== undefined && formatMs(firstTokenMs)}</Cell>
      <Cell name="Total">{total !== undefined && formatMs(total)}</Cell>
      <Cell name="Tokens in" title={guess && COUNTED}>
        {report.tokens !== undefined && guess + formatCount(report.tokens.input)}
      </Cell>
      <Cell name="Tokens out" title={guess && COUNTED}>
        {report.tokens !== undefined && guess + formatCount(report.tokens.output)}
      </Cell>
      <Cell name="Cost" span={2}>
        {costOf(asked, deployment)}
      </Cell>
      <Cell name="Answered by" span={2}>
        <span>{asked.model}</span>
        {deployment !== undefined && <span className="minor">on {deployment}</span>}
      </Cell>
      {grounded !== undefined && (
        <Cell name="Rests on its sources" span={2} title="Sentences that the passages they cite support">
          <span>
            {formatCount(grounded.supported)} of {formatCount(grounded.sentences)}
          </span>
          <span className="minor">{grounded.judge === undefined ? 'by words' : `by ${grounded.judge}`}</span>
        </Cell>
      )}
      {grounded !== undefined && (
        <Cell name="Workflow version" span={2}>
          {report.version !== undefined && <code>{report.version}</code>}
        </Cell>
      )}
      <Cell name="Request" span={grounded === undefined ? 4 : 6}>
        {report.requestId !== undefined && (
          <>
            <code>{report.requestId}</code>
            <CopyText text={report.requestId} what="the request id" />
            {canTrace && !isRunning(asked) && <TraceLink requestId={report.requestId} />}
          </>
        )}
      </Cell>
    </TitleBlock>
  )
}

/** Everything the server recorded of a request. */
export function TraceLink({ requestId }: { requestId: string }) {
  return (
    <Link className="trace-link" href={`/traces?${new URLSearchParams({ trace: requestId })}`}>
      Trace <Icon name="arrow" />
    </Link>
  )
}

/** Where the words came from. A workflow is deployed as itself; what it called last answered. */
function deploymentOf({ report, model }: Asked): string | undefined {
  const called = report.stages.map((stage) => stage.attributes['deployment'])
  const name = [report.deployment, ...called].findLast((one) => typeof one === 'string' && one !== model)
  return typeof name === 'string' ? name : undefined
}

function costOf({ report, phase }: Asked, deployment = ''): string | undefined {
  const { costNanoUsd } = report
  if (costNanoUsd === null) return 'no price set'
  if (costNanoUsd === undefined || phase === 'waiting') return undefined
  if (/^0+$/.test(costNanoUsd)) return EMBEDDED.test(deployment) ? 'free (embedded)' : 'free'
  return formatNanoUsd(costNanoUsd)
}

/** The time so far, while there is something to wait for. */
function useTicking(isOn: boolean, elapsedMs: () => number): number | undefined {
  const [, redraw] = useState(0)
  useEffect(() => {
    if (!isOn) return undefined
    const timer = setInterval(() => redraw((before) => before + 1), TICK_MS)
    return () => clearInterval(timer)
  }, [isOn])
  return isOn ? elapsedMs() : undefined
}
