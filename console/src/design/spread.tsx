import type { Percentiles } from '../api/usage.ts'
import './spread.css'
import { formatCount } from './units.ts'

/** Percentiles with their n: never an average alone. */
export function Spread({ of, format }: { of: Percentiles; format: (value: number) => string }) {
  if (of.p50 === undefined || of.p95 === undefined || of.p99 === undefined) return <span className="minor">–</span>
  return (
    <span className="spread">
      <span>
        <span className="minor">p50</span> {format(of.p50)}
      </span>
      <span>
        <span className="minor">p95</span> {format(of.p95)}
      </span>
      <span>
        <span className="minor">p99</span> {format(of.p99)}
      </span>
      <span className="minor">n {formatCount(of.n)}</span>
    </span>
  )
}
