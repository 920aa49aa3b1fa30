# ActionCable of Rails, without the rest of Rails: rooms, of which `closed` lets nobody in. GET /counts: what it has seen.
# Who says token=wrong in the address is refused. Started by tests/common/real.rs with puma.

require 'action_cable'
require 'json'

COUNTS = %i[opened closed refused joined said pushed].to_h { |name| [name, Concurrent::AtomicFixnum.new] }

class Connection < ActionCable::Connection::Base
  def connect
    COUNTS[:opened].increment
    reject_unauthorized_connection if request.params['token'] == 'wrong'
  end

  def disconnect
    COUNTS[:closed].increment
  end
end

class RoomChannel < ActionCable::Channel::Base
  def subscribed
    return count_and_reject if params[:room] == 'closed'

    COUNTS[:joined].increment
    stream_from(params[:room], coder: ActiveSupport::JSON) do |message|
      COUNTS[:pushed].increment
      transmit(message)
    end
  end

  def say(data)
    COUNTS[:said].increment
    ActionCable.server.broadcast(params[:room], { text: data['text'] })
  end

  private

  def count_and_reject
    COUNTS[:refused].increment
    reject
  end
end

ActionCable.server.config.tap do |config|
  config.cable = { 'adapter' => 'async' }
  config.connection_class = -> { Connection }
  config.logger = Logger.new(nil)
  config.disable_request_forgery_protection = true
end

map('/counts') { run ->(_) { [200, {}, [JSON.generate(COUNTS.transform_values(&:value))]] } }
map('/cable') { run ActionCable.server }
