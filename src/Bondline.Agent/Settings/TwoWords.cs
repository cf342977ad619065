using System.Security.Cryptography;

namespace Bondline.Agent;

/// <summary>Names of two words, such as <c>calm-otter</c>: easy to say aloud, enough of them (280 x 296) for the people of one relay.</summary>
internal static class TwoWords
{
    private const string First = """
        able acid agile airy alert amber ample apt aqua arch arid ash autumn avid azure bald balmy beige best big birch blithe blond blue bold bonny
        brave breezy brief bright brisk broad bronze brown busy calm candid canny cedar cheery chief chilly chosen civil clean clear clever close
        cloudy coal cobalt cocoa cool copper coral cosmic cosy cotton crafty cream crisp crystal curly cyan daily dapper daring dawn deep deft dense
        dewy dim direct distant dizzy double dreamy dry dusky dusty eager early earthy east easy ebony elder elfin elm even evening fair fancy fast
        fern fine firm first fit flat fleet floral fluffy fond fresh frosty full fuzzy gentle giant gilded glad glossy golden good grand granite
        great green grey hale handy happy hardy hasty hazel hazy hearty hidden high hollow honest humble icy indigo inky iron ivory jade jolly
        jovial keen kind large late lavish leafy lemon level light lilac lime linen little lively local lofty lone long loud loyal lucky lunar magic
        maple marble mellow merry mild mint misty modest mossy neat new nimble noble north novel oaken ochre olive open opal orange outer pale
        patient peach pearly placid plain plum plush polar polite prime proud pure purple quartz quick quiet rapid rare ready red regal rich ripe
        rosy round royal ruby rustic sable sage sandy scarlet sharp shiny silent silk silver simple sleek slim small smart smooth snowy soft solar
        solid spare spicy spry square stable starry steady still stone strong subtle sunny sure swift tall tame tan teal tender thin tidy tiny topaz
        tranquil trim true twin upbeat urban valiant vast velvet verdant vivid warm wavy west whole wild windy wise witty wooden young zesty
        """;

    private const string Second = """
        acorn alder anchor ant apple apricot arch aspen aster atlas badger bamboo banjo barley basil basin bay beacon bear beaver bee beetle bell
        birch bison bloom boat bramble branch bridge brook buffalo bunny burrow cabin cactus camel canal candle canoe canyon cape cardinal carp
        castle cave cedar cello chalk cherry chestnut clam cliff clock cloud clover coast cobra comet compass coral cove coyote crab crane crater
        creek cricket crow crown cypress daisy dale deer delta desert dingo dolphin dove dragon drum duck dune eagle echo eel elk elm ember falcon
        fawn fern ferret field finch fjord flame flint flute foal forest fossil fountain fox frog galaxy garden gazelle gecko geyser ginger glacier
        glade goat goose grape grove gull harbor hare harp hawk hazel hedge heron hill hippo holly horizon hornet horse hound ibex ibis iguana inlet
        iris island ivy jackal jaguar jasmine jay juniper kayak kelp kestrel kite kiwi koala lagoon lake lantern larch lark laurel lemur leopard
        lily lion lizard llama lobster lotus lynx magpie mango mantis maple marlin marsh marten meadow meteor mink mole moon moose moss moth
        mountain mouse mule nebula nectar nest newt nutmeg oak oasis ocean ocelot olive orbit orca orchid oriole osprey otter owl oyster palm panda
        panther parrot peach pear pebble pelican penguin peony pepper pigeon pine planet plover plum pond pony poplar poppy prairie puffin puma
        quail quartz rabbit raccoon raven reed reef ridge river robin rocket rose rowan saffron sail salmon sandal seal shark sheep shell shore
        shrew shrub sparrow spring spruce squid squirrel star stork storm stream summit sun swallow swan tapir teal tern thistle thrush tide tiger
        toad topaz torch toucan trail trout tulip tundra turtle valley viola violet violin viper walnut walrus wave weasel whale wheat willow wolf
        wombat wren yak yew zebra zinnia
        """;

    public static string Next() => $"{Pick(First)}-{Pick(Second)}";

    private static string Pick(string words)
    {
        var all = words.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        return all[RandomNumberGenerator.GetInt32(all.Length)];
    }
}
