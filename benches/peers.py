"""Scripts for the load generators that have to be given one, written anew for each piece of work."""

import json
from xml.sax.saxutils import quoteattr

PAYLOAD = "x" * 64
FOREVER = 1_000_000_000  # turns: a peer is stopped, and never comes to its end


def artillery(case, port, ramp_up):
    """Each of its users sends, waits for the answer, and thinks for the rest of the gap."""
    turn = [{"send": {"payload": PAYLOAD, "match": {"regexp": "^x+$", "value": PAYLOAD}}}]
    if case.rate:
        turn.append({"think": f"{1000 / case.rate:g}ms"})
    script = {
        "config": {
            "target": f"ws://127.0.0.1:{port}/",
            "phases": [{"duration": ramp_up, "arrivalCount": case.connections}],
        },
        "scenarios": [{"engine": "ws", "flow": [{"loop": turn, "count": FOREVER}]}],
    }
    return json.dumps(script, indent=1)


def tsung(case, port, ramp_up):
    """The same. Its users come at random, so it is given more time than they need."""
    think = f"<thinktime value={quoteattr(str(1 / case.rate))}/>" if case.rate else ""
    return f"""<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "/usr/share/tsung/tsung-1.0.dtd" []>
<tsung loglevel="warning" version="1.0">
  <clients><client host="localhost" use_controller_vm="true" maxusers="40000"/></clients>
  <servers><server host="127.0.0.1" port="{port}" type="tcp"/></servers>
  <load>
    <arrivalphase phase="1" duration="1" unit="hour">
      <users maxnumber="{case.connections}" arrivalrate="{case.connections / ramp_up:g}" unit="second"/>
    </arrivalphase>
  </load>
  <sessions>
    <session name="echo" probability="100" type="ts_websocket">
      <request><websocket type="connect" path="/"/></request>
      <for var="turn" from="1" to="{FOREVER}">
        <request><websocket type="message" ack="parse" frame="text">{PAYLOAD}</websocket></request>
        {think}
      </for>
    </session>
  </sessions>
</tsung>
"""
