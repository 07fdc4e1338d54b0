import { rowsContract } from '../../store/contract/rows.ts'
import { temporary } from './temporary.ts'

rowsContract(
  'sqlite',
  temporary((store) => store.rows),
)
