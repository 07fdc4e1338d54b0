import { useCallback, useEffect, useEffectEvent, useState } from 'react'
import type { Problem, Result } from '../api/problem.ts'
import { useAccess } from './access.ts'

export type Loaded<T> =
  | { readonly state: 'loading' }
  | { readonly state: 'failed'; readonly problem: Problem }
  /** `isStale`: of the question before, until this one is answered. */
  | { readonly state: 'ready'; readonly value: T; readonly isStale: boolean }

const LOADING = { state: 'loading' } as const

/** Asks when `question` changes, and when told to. Only the answer to the last question counts. */
export function useLoad<T>(question: string, load: () => Promise<Result<T>>): readonly [Loaded<T>, reload: () => void] {
  const { onUnknown } = useAccess()
  const [answer, setAnswer] = useState<{ question: string; turn: number; loaded: Loaded<T> }>()
  const [turn, setTurn] = useState(0)
  const ask = useEffectEvent(load)
  useEffect(() => {
    let isLast = true
    void ask().then((result) => {
      if (!isLast) return
      if (!result.ok && result.problem.status === 401) return onUnknown()
      const loaded: Loaded<T> = result.ok
        ? { state: 'ready', value: result.value, isStale: false }
        : { state: 'failed', problem: result.problem }
      setAnswer({ question, turn, loaded })
    })
    return () => {
      isLast = false
    }
  }, [question, turn, onUnknown])
  const reload = useCallback(() => setTurn((before) => before + 1), [])
  if (answer === undefined) return [LOADING, reload]
  const { loaded } = answer
  const isStale = answer.question !== question || answer.turn !== turn
  return [loaded.state === 'ready' ? { ...loaded, isStale } : isStale ? LOADING : loaded, reload]
}
