/* The table of the Compare tab is sorted here: nobody has to be asked for that. Runs as the script of
   its HTML component. What was not measured stays last, whichever way the order goes. */
let key = '';
let falling = false;

const cellOf = (row) => row.querySelector(`[data-key="${key}"]`);
const valueOf = (row) => cellOf(row)?.dataset.value ?? '';
const order = (one, other) => {
  const [a, b] = [valueOf(one), valueOf(other)];
  if (a === '' || b === '') return (a === '') - (b === '');
  const rising = key === 'method' ? a.localeCompare(b) : Number(a) - Number(b);
  return falling ? -rising : rising;
};

const sort = () => {
  const table = element.querySelector('table');
  if (!table) return;
  table.querySelectorAll('thead th').forEach((head) => {
    const chosen = head.dataset.key === key;
    head.setAttribute('aria-sort', chosen ? (falling ? 'descending' : 'ascending') : 'none');
  });
  const choice = element.querySelector('.sz-sort select');
  choice.value = key;
  if (choice.selectedIndex < 0) choice.value = '';
  const body = table.tBodies[0];
  if (key) body.append(...[...body.rows].sort(order));
};

element.addEventListener('click', (event) => {
  const head = event.target.closest('thead button')?.closest('th');
  if (!head) return;
  falling = head.dataset.key === key && !falling;
  key = head.dataset.key;
  sort();
});
element.addEventListener('change', (event) => {
  if (!event.target.matches('.sz-sort select')) return;
  key = event.target.value;
  falling = false;
  sort();
});
/* A new comparison comes in the order of its methods; while it fills, the order stays. */
watch('value', () => requestAnimationFrame(() => {
  if (!props.value) key = '';
  sort();
}));
