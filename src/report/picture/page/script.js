// Crosshair and zoom of charts that may be replaced.
(() => {
'use strict';
const doc = document, root = doc.documentElement, { min, max, floor, ceil, round } = Math;
const all = 'svg[data-x]', each = call => doc.querySelectorAll(all).forEach(call);
let was, data, drag;
root.classList.add('on');

const row = texts => {
	const div = doc.createElement('div');
	for (const text of texts) div.appendChild(doc.createElement('b')).textContent = text;
	return div;
};
const tip = doc.body.appendChild(row([]));
tip.className = 'tip';

// Where a chart has its data, what it shows, where the pointer is.
const frame = (chart, event) => {
	const [from, to, l, r, t, o] = chart.dataset.x.split(',').map(Number), [a, b] = chart.view || [from, to], w = r - l;
	const box = chart.getBoundingClientRect(), x = (event?.clientX - box.x) / box.width * 1120, px = max(l, min(r, x));
	const at = (a, b) => s => l + (s - a) / (b - a) * w;
	return { a, b, l, r, t, o, px, in: px - x < 4 && x - px < 4, s: a + (px - l) / w * (b - a), x: at(a, b), full: at(from, to) };
};

const clock = s => s < 60 ? +s.toFixed(1) + ' s'
	: [s / 3600, s / 60 % 60, s % 60].map(n => `${floor(n)}`.padStart(2, 0)).join(':').replace(/^[0:]{1,4}/, '');
const show = (v, unit) => {
	if (v == null) return '–';
	const units = unit == 'ns' ? [' s', ' ms', ' µs', ' ns'] : [unit];
	while (units[1] && v >= 999.5) v /= 1e3, units.pop();
	return (v < 99.95 ? +v.toPrecision(3) : round(v).toLocaleString('en')) + units.pop();
};

const cross = (chart, d) => chart.querySelector('.cross').setAttribute('d', d);
const hide = () => {
	tip.replaceChildren();
	each(chart => cross(chart, ''));
};
const tell = (chart, s, event) => {
	const e = doc.getElementById('readings');
	if (e != was) data = JSON.parse((was = e).textContent);
	const { from, to, step } = data, i = max(0, min(ceil((to - from) / step) - 1, floor((s - from) / step)));
	const a = from + i * step, b = min(to, a + step), { clientX: x, clientY: y } = event;
	each(chart => {
		const f = frame(chart), x = f.x((a + b) / 2);
		cross(chart, x >= f.l && x <= f.r ? `M${x} ${f.t}V${f.o}` : '');
	});
	const lines = (data.charts[chart.dataset.chart] || []).map(([name, colour, unit, values]) => {
		const line = row([name, show(values[i], unit)]);
		line.style.color = `var(--${colour})`;
		return line;
	});
	const now = data.incidents.filter(n => n[1] < b && n[2] >= a);
	tip.replaceChildren(row([clock(a) + ' – ' + clock(b), ...now.map(n => n[0])]), ...lines);
	tip.style.left = x + (x > innerWidth / 2 ? -16 - tip.offsetWidth : 16) + 'px';
	tip.style.top = min(innerHeight - tip.offsetHeight - 8, y + 14) + 'px';
};

const zoom = to => {
	each(chart => {
		chart.classList.toggle('zoomed', !!(chart.view = to));
		const { a, b, o, x, full } = frame(chart), ticks = chart.querySelector('.ticks');
		const old = ticks.old ??= [...ticks.children], texts = [];
		const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600].find(s => (b - a) / s < 10) || 7200;
		for (let s = ceil(a / step) * step; s <= b; s += step) {
			const text = old.at(-1).cloneNode();
			text.setAttribute('x', x(s));
			text.textContent = clock(s);
			texts.push(text);
		}
		ticks.replaceChildren(...to ? texts : old);
		for (const e of chart.querySelectorAll('.marks')) e.setAttribute('viewBox', `${full(a)} 0 ${full(b) - full(a)} ${o}`);
	});
};

const on = (name, call) => doc.addEventListener(name, event => {
	const chart = drag?.chart || event.target.closest?.(all);
	call(event, chart && frame(chart, event), chart);
});
on('pointermove', (event, f, chart) => {
	if (!drag && !f?.in) return hide();
	tell(chart, f.s, event);
	if (drag) cross(chart, `M${drag.px} ${f.t}H${f.px}V${f.o}H${drag.px}z`);
});
on('pointerdown', (event, f, chart) => {
	if (f?.in && !event.button && event.pointerType == 'mouse') drag = { ...f, chart };
});
on('pointerup', (event, f) => {
	const from = drag;
	drag = hide();
	if (from && Math.abs(from.px - f.px) > 12) zoom([min(from.s, f.s), max(from.s, f.s)]);
});
on('dblclick', (event, f) => f && zoom());
root.addEventListener('pointerleave', hide);
})();
