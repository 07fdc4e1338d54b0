import type { Problem } from '../api/problem.ts'
import { ErrorState } from '../design/state.tsx'

/** What could not be had, and a way to try again. */
export function Failed({ title, problem, onRetry }: { title: string; problem: Problem; onRetry: () => void }) {
  return (
    <ErrorState
      title={title}
      message={problem.message}
      code={problem.code}
      requestId={problem.requestId}
      onRetry={onRetry}
    />
  )
}
