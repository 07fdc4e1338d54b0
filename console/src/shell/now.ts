import { useEffect, useState } from 'react'

const TICK_MS = 15_000

/** The wall clock, for what is said relative to it: a little late, and never standing still. */
export function useNow(): number {
  const [nowMs, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS)
    return () => clearInterval(timer)
  }, [])
  return nowMs
}
