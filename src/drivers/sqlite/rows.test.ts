import { rowsContract } from '../../store/contract/rows.ts'
import { temporary } from '../../../tests/kit/sqlite.ts'

rowsContract(
  'sqlite',
  temporary((store) => store.rows),
)
